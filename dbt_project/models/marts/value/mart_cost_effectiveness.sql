-- What a gain costs: cost for each user over the effect of the tool's study, as a set of values that both allow.
--
-- A ratio of two point values alone is never given. The effect e is known by its interval [a, b], the cost for each user c by
-- its range. Fieller (1954): the ratios r that the data do not refuse are those for which c - r e could be nothing. With a cost
-- that is no sample this is: c / r lies in [a, b]. Where 0 < a these are the ratios from c / b to c / a, and over all costs of the
-- range from the least to the largest of them, with at least the interval's confidence. Where [a, b] holds nothing at all
-- (0), the ratios are no interval: any cost of a gain, however high, and even a loss, is among them, so that none is given. Where
-- b < 0 the tool costs and does harm: there is no gain to have a price. The likely ratio stands inside the two ends, never alone.
--
-- Only studies that may claim a cause and passed their checks have an effect here, and only if their use lies in the school year
-- whose cost is counted. The unit is a tenth of a standard deviation, about 4 places of a hundred for a middling student.
with through as (

  select data_complete_through from {{ ref("int_district_through") }}

),

year as (

  {{ school_year_so_far("through") }}

),

found as (

  select
    study.district_id,
    study.plan_hash,
    study.outcome,
    study.is_first_outcome,
    study.tool_key,
    study.tool_name,
    study.design,
    study.verdict,
    study.meaningful_g,
    study.planned_at,
    plan.confidence,
    plan.use_starts_on,
    plan.use_ends_on,
    case
      when study.design in ('regression', 'dose_response') or study.verdict = 'descriptive' then 'claims_no_cause'
      when study.verdict not in (
        'effect', 'effect_of_unclear_size', 'too_small', 'null', 'no_useful_effect', 'harmful', 'not_enough_evidence'
      ) or estimate.g_low is null then 'study_cannot_tell'
    end as no_effect_reason,
    -- Positive is better for students, whatever way the outcome counts.
    case when coalesce(sensitivity.is_higher_better, true) then estimate.g else -estimate.g end as g,
    case when coalesce(sensitivity.is_higher_better, true) then estimate.g_low else -estimate.g_high end as g_low,
    case when coalesce(sensitivity.is_higher_better, true) then estimate.g_high else -estimate.g_low end as g_high
  from {{ ref("mart_study") }} as study
  inner join {{ ref("mart_study_plan") }} as plan on plan.plan_hash = study.plan_hash
  left join {{ ref("mart_study_estimate") }} as estimate
    on estimate.plan_hash = study.plan_hash and estimate.outcome = study.outcome and estimate.role = 'main'
  left join {{ ref("mart_study_sensitivity") }} as sensitivity
    on sensitivity.plan_hash = study.plan_hash and sensitivity.outcome = study.outcome

),

cost as (

  select
    tool_key,
    count(*) as currencies,
    max(currency) as currency,
    max(cost_per_active_student_low) as cost_low,
    max(cost_per_active_student_likely) as cost_likely,
    max(cost_per_active_student_high) as cost_high
  from {{ ref("mart_tool_cost") }}
  where ingredient = 'all' and tool_key is not null
  group by tool_key

),

judged as (

  select
    found.* exclude (g, g_low, g_high),
    case when found.no_effect_reason is null then found.g end as g,
    case when found.no_effect_reason is null then found.g_low end as g_low,
    case when found.no_effect_reason is null then found.g_high end as g_high,
    case when cost.currencies = 1 then cost.currency end as currency,
    {%- for end in ["low", "likely", "high"] %}
    case when cost.currencies = 1 then cost.cost_{{ end }} end as cost_{{ end }},
    {%- endfor %}
    case
      when found.no_effect_reason is not null then found.no_effect_reason
      when found.use_ends_on < year.year_starts_on or found.use_starts_on > through.data_complete_through
        then 'study_of_another_year'
      when cost.tool_key is null then 'no_cost'
      when cost.currencies > 1 then 'several_currencies'
      when cost.cost_likely is null then 'cost_per_user_not_known'
      when found.g_high < 0 then 'harm'
      when found.g_low <= 0 then 'interval_spans_zero'
    end as undefined_reason
  from found
  cross join year
  cross join through
  left join cost on cost.tool_key = found.tool_key

)

select
  judged.district_id,
  judged.plan_hash,
  judged.outcome,
  judged.is_first_outcome,
  judged.tool_key,
  judged.tool_name,
  judged.design,
  judged.verdict,
  judged.meaningful_g,
  judged.confidence,
  judged.planned_at,
  judged.use_starts_on,
  judged.use_ends_on,
  judged.g,
  judged.g_low,
  judged.g_high,
  judged.currency,
  judged.cost_low as cost_per_active_student_low,
  judged.cost_likely as cost_per_active_student_likely,
  judged.cost_high as cost_per_active_student_high,
  cast(
    case when undefined_reason is null then least(cost_low / (10 * g_low), cost_low / (10 * g_high)) end as decimal(18, 2)
  ) as cost_per_tenth_low,
  cast(case when undefined_reason is null then cost_likely / (10 * g) end as decimal(18, 2)) as cost_per_tenth_likely,
  cast(
    case when undefined_reason is null then greatest(cost_high / (10 * g_low), cost_high / (10 * g_high)) end
    as decimal(18, 2)
  ) as cost_per_tenth_high,
  judged.undefined_reason,
  through.data_complete_through
from judged
cross join through
