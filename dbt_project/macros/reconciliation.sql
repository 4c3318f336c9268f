{#-
  Entity resources and the models that stage them: (namespace, resource, landed key, staging model, staged key). A key of
  several columns has blanks between them.
-#}
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
    ("edfi", "localEducationAgencies", "id", "stg_edfi__local_education_agencies", "id"),
    ("edfi", "schools", "id", "stg_edfi__schools", "id"),
    ("edfi", "sessions", "id", "stg_edfi__sessions", "id"),
    ("edfi", "courses", "id", "stg_edfi__courses", "id"),
    ("edfi", "courseOfferings", "id", "stg_edfi__course_offerings", "id"),
    ("edfi", "sections", "id", "stg_edfi__sections", "id"),
    ("edfi", "students", "id", "stg_edfi__students", "id"),
    ("edfi", "staffs", "id", "stg_edfi__staffs", "id"),
    ("edfi", "staffDirectories", "id", "stg_edfi__staff_directories", "id"),
    ("edfi", "studentSchoolAssociations", "id", "stg_edfi__student_school_associations", "id"),
    ("edfi", "studentEducationOrganizationAssociations", "id", "stg_edfi__student_education_organization_associations", "id"),
    ("edfi", "studentDemographics", "id", "stg_edfi__student_demographics", "id"),
    ("edfi", "studentDirectories", "id", "stg_edfi__student_directories", "id"),
    ("edfi", "studentSectionAssociations", "id", "stg_edfi__student_section_associations", "id"),
    ("edfi", "grades", "id", "stg_edfi__grades", "id"),
    ("edfi", "gradingPeriods", "id", "stg_edfi__grading_periods", "id"),
    ("edfi", "studentAssessments", "id", "stg_edfi__student_assessments", "id"),
    ("edfi", "studentSchoolAttendanceEvents", "id", "stg_edfi__student_school_attendance_events", "id"),
    ("clever", "schools", "id", "stg_clever__schools", "id"),
    ("clever", "terms", "id", "stg_clever__terms", "id"),
    ("clever", "courses", "id", "stg_clever__courses", "id"),
    ("clever", "sections", "id", "stg_clever__sections", "id"),
    ("clever", "users", "id", "stg_clever__users", "id"),
    ("clever", "section_members", "section user role", "stg_clever__section_members", "section_id user_id role"),
    ("canvas", "accounts", "id", "stg_canvas__accounts", "id"),
    ("canvas", "terms", "id", "stg_canvas__terms", "id"),
    ("canvas", "courses", "id", "stg_canvas__courses", "id"),
    ("canvas", "sections", "id", "stg_canvas__sections", "id"),
    ("canvas", "enrollments", "id", "stg_canvas__enrollments", "id"),
    ("canvas", "users", "id", "stg_canvas__users", "id"),
    ("canvas", "assignments", "id", "stg_canvas__assignments", "id"),
    ("canvas", "submissions", "id", "stg_canvas__submissions", "id"),
    ("moodle", "courses", "id", "stg_moodle__courses", "id"),
    ("moodle", "users", "id", "stg_moodle__users", "id"),
    ("moodle", "enrollments", "course_id user_id", "stg_moodle__enrollments", "course_id user_id"),
    ("moodle", "assignments", "id", "stg_moodle__assignments", "id"),
    ("moodle", "grades", "item_id user_id", "stg_moodle__grades", "item_id user_id"),
    ("google_classroom", "courses", "id", "stg_google_classroom__courses", "id"),
    ("google_classroom", "aliases", "courseId alias", "stg_google_classroom__aliases", "course_id alias"),
    ("google_classroom", "teachers", "courseId userId", "stg_google_classroom__teachers", "course_id user_id"),
    ("google_classroom", "students", "courseId userId", "stg_google_classroom__students", "course_id user_id"),
    ("google_classroom", "courseWork", "courseId id", "stg_google_classroom__course_work", "course_id id"),
    ("google_classroom", "studentSubmissions", "courseId courseWorkId id", "stg_google_classroom__submissions", "course_id course_work_id id"),
    ("google_admin", "chromeos_devices", "deviceId", "stg_google_admin__chromeos_devices", "device_id"),
    ("google_admin", "chromeos_device_users", "deviceId email", "stg_google_admin__chromeos_device_users", "device_id email"),
    ("google_admin", "chromeos_device_days", "deviceId date", "stg_google_admin__chromeos_device_days", "device_id on_date"),
    ("intune", "devices", "device_id", "stg_intune__devices", "device_id"),
    ("iready", "diagnostic_results_ela", "student started_on completed_on overall_scale_score",
      "stg_iready__diagnostic_results_ela", "student started_on completed_on overall_scale_score"),
    ("iready", "diagnostic_results_math", "student started_on completed_on overall_scale_score",
      "stg_iready__diagnostic_results_math", "student started_on completed_on overall_scale_score"),
    ("xapi", "voided", "statement_id", "stg_xapi__voided", "statement_id"),
    ("registers", "contracts", "contract_id", "stg_registers__contracts", "contract_id"),
    ("registers", "cost_ingredients", "ingredient_id", "stg_registers__cost_ingredients", "ingredient_id"),
    ("registers", "invoices", "invoice_line_id", "stg_registers__invoices", "invoice_line_id"),
    ("registers", "training_sessions", "session_id", "stg_registers__training_sessions", "session_id"),
    ("registers", "training_attendance", "attendance_id", "stg_registers__training_attendance", "attendance_id"),
    ("registers", "coaching_log", "entry_id", "stg_registers__coaching_log", "entry_id"),
    ("registers", "helpdesk_tickets", "ticket_id", "stg_registers__helpdesk_tickets", "ticket_id"),
    ("registers", "surveys", "answer_id", "stg_registers__surveys", "answer_id"),
    ("registers", "devices", "asset_tag", "stg_registers__devices", "asset_tag"),
    ("registers", "device_incidents", "incident_id", "stg_registers__device_incidents", "incident_id"),
    ("registers", "identity_links", "link_id", "stg_registers__identity_links", "link_id"),
    ("registers", "privacy_agreements", "agreement_id", "stg_registers__privacy_agreements", "agreement_id"),
    ("learnplatform", "products", "lp_id", "stg_learnplatform__products", "lp_id"),
    ("learnplatform", "districts", "district_id", "stg_learnplatform__districts", "district_id"),
  ]) }}
{%- endmacro %}

{#- A key as one text: of several columns, with a blank between them. -#}
{% macro whole_key(key) -%}
  concat({% for column in key.split() %}cast("{{ column }}" as varchar){{ ", ' ', " if not loop.last }}{% endfor %})
{%- endmacro %}

{#- Namespaces whose records are staged for each source apart: an id is one source's own until models behind staging say otherwise. -#}
{% macro namespaces_by_source() -%}
  {{ return(["oneroster", "edfi", "clever", "canvas", "moodle"]) }}
{%- endmacro %}
