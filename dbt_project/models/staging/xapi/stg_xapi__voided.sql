-- Statements that were taken back. A voiding cannot be taken back itself.
select
  statement_id,
  min(voided_at) as voided_at
from {{ source("landing", "xapi__voided") }}
where not _deleted
group by statement_id
