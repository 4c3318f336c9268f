{#- Demographic flags arrive as 'true'/'false' text or as booleans, by vendor; a blank stays unknown. -#}
{% macro demographic_columns() -%}
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  lower(sex) as sex,
  {{ flag("americanIndianOrAlaskaNative") }} as is_american_indian_or_alaska_native,
  {{ flag("asian") }} as is_asian,
  {{ flag("blackOrAfricanAmerican") }} as is_black_or_african_american,
  {{ flag("nativeHawaiianOrOtherPacificIslander") }} as is_native_hawaiian_or_pacific_islander,
  {{ flag("white") }} as is_white,
  {{ flag("demographicRaceTwoOrMoreRaces") }} as is_two_or_more_races,
  {{ flag("hispanicOrLatinoEthnicity") }} as is_hispanic_or_latino,
  {{ flag("metadata_economicDisadvantage") }} as is_economic_disadvantage,
  {{ flag("metadata_disability") }} as is_disability,
  {{ flag("metadata_englishLearner") }} as is_english_learner
{%- endmacro %}

{% macro flag(column) -%}
  case lower(cast({{ column }} as varchar)) when 'true' then true when 'false' then false end
{%- endmacro %}

{% macro yes_no(flag) -%}
  case when {{ flag }} then 'yes' when not {{ flag }} then 'no' end
{%- endmacro %}

{#- One category for each student, as US federal reporting counts: Hispanic or Latino of any race first, then two or more. -#}
{% macro race_ethnicity() -%}
  {%- set races = [
    "american_indian_or_alaska_native", "asian", "black_or_african_american", "native_hawaiian_or_pacific_islander", "white"
  ] -%}
  case
    when is_hispanic_or_latino then 'hispanic_or_latino'
    when is_two_or_more_races
      or {% for race in races %}cast(coalesce(is_{{ race }}, false) as integer){{ " + " if not loop.last }}{% endfor %} > 1
      then 'two_or_more_races'
    {%- for race in races %}
    when is_{{ race }} then '{{ race }}'
    {%- endfor %}
  end
{%- endmacro %}
