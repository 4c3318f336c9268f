-- The district's own list of which identifiers are one person's: one row for each identifier of each link.
{%- for column, identifier_kind in [
  ("sis_id", "sis_user"), ("other_sis_id", "sis_user"), ("email", "email"), ("other_email", "email"), ("username", "username"),
  ("sis_number", "sis_number"), ("clever_id", "clever_user"), ("canvas_id", "canvas_user"), ("moodle_id", "moodle_user"),
  ("google_id", "google_user")
] %}
select link_id, '{{ identifier_kind }}' as identifier_kind, {{ column }} as identifier
from {{ ref("stg_registers__identity_links") }}
where {{ column }} is not null
{{- "

union" if not loop.last }}
{% endfor %}
