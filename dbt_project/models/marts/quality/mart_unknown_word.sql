-- Words of rosters that nobody here knows: what they say of a student is missing in the numbers, and not guessed. A word of
-- fewer than n records stands together with other such words, without being named.
with counted as (

  select
    district.district_id,
    district.minimum_n,
    unknown.source,
    unknown.vocabulary,
    case when count(*) >= district.minimum_n then unknown.word end as word,
    count(*) as people
  from {{ ref("int_roster_unknown_word") }} as unknown
  cross join {{ source("config", "district") }} as district
  group by district.district_id, district.minimum_n, unknown.source, unknown.vocabulary, unknown.word

)

select
  district_id,
  source,
  vocabulary,
  word,
  cast(case when sum(people) >= max(minimum_n) then sum(people) end as bigint) as people
from counted
group by district_id, source, vocabulary, word
