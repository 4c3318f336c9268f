{#- Entity resources and the models that stage them: (namespace, resource, landed key, staging model, staged key). -#}
{% macro staged_entities() -%}
  {{ return([
    ("oneroster", "orgs", "sourcedId", "stg_oneroster__orgs", "sourced_id"),
    ("oneroster", "academicSessions", "sourcedId", "stg_oneroster__academic_sessions", "sourced_id"),
    ("oneroster", "courses", "sourcedId", "stg_oneroster__courses", "sourced_id"),
    ("oneroster", "classes", "sourcedId", "stg_oneroster__classes", "sourced_id"),
    ("oneroster", "users", "sourcedId", "stg_oneroster__users", "sourced_id"),
    ("oneroster", "enrollments", "sourcedId", "stg_oneroster__enrollments", "sourced_id"),
    ("oneroster", "demographics", "sourcedId", "stg_oneroster__demographics", "sourced_id"),
    ("oneroster", "categories", "sourcedId", "stg_oneroster__categories", "sourced_id"),
    ("oneroster", "lineItems", "sourcedId", "stg_oneroster__line_items", "sourced_id"),
    ("oneroster", "results", "sourcedId", "stg_oneroster__results", "sourced_id"),
    ("canvas", "accounts", "id", "stg_canvas__accounts", "id"),
    ("canvas", "terms", "id", "stg_canvas__terms", "id"),
    ("canvas", "courses", "id", "stg_canvas__courses", "id"),
    ("canvas", "sections", "id", "stg_canvas__sections", "id"),
    ("canvas", "enrollments", "id", "stg_canvas__enrollments", "id"),
    ("canvas", "users", "id", "stg_canvas__users", "id"),
    ("canvas", "assignments", "id", "stg_canvas__assignments", "id"),
    ("canvas", "submissions", "id", "stg_canvas__submissions", "id"),
    ("xapi", "voided", "statement_id", "stg_xapi__voided", "statement_id"),
    ("registers", "contracts", "contract_id", "stg_registers__contracts", "contract_id"),
    ("registers", "cost_ingredients", "ingredient_id", "stg_registers__cost_ingredients", "ingredient_id"),
    ("learnplatform", "products", "lp_id", "stg_learnplatform__products", "lp_id"),
    ("learnplatform", "districts", "district_id", "stg_learnplatform__districts", "district_id"),
  ]) }}
{%- endmacro %}
