-- One row for each statement, however often it was delivered. A statement under an id that another one has is not taken by
-- an LRS; where it was not known at the door, the same one of them counts whatever the order in which they came.
with statement as (

  {{ newest_of_repeated(
      ref("base_xapi__statement"), ["statement_id", "occurred_at"], ["address", "identifier", "verb", "landed_at", "landed_window"]
  ) }}

)

select
  statement.statement_id,
  statement.occurred_at,
  statement.identifier_kind,
  statement.identifier,
  statement.address,
  statement.verb,
  statement.object_type,
  statement.duration_seconds,
  statement.success,
  statement.completion,
  statement.score_scaled,
  statement.is_background,
  voided.statement_id is not null as is_voided,
  statement.source
from statement
left join {{ ref("stg_xapi__voided") }} as voided on voided.statement_id = statement.statement_id
