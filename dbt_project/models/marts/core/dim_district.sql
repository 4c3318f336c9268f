with reporting as (

  select district_id, state, locale, pct_black_hispanic, pct_free_reduced
  from {{ ref("stg_learnplatform__districts") }}

),

band as (

  select
    reporting.district_id,
    concat('District ', reporting.district_id) as district_name,
    false as is_simulated,
    {{ known_text("reporting.state") }} as state,
    {{ known_text("reporting.locale") }} as locale,
    {{ known_text("reporting.pct_black_hispanic") }} as black_hispanic_band,
    {{ known_text("reporting.pct_free_reduced") }} as free_reduced_band
  from reporting

)

-- A source that reports for many districts brings its own; otherwise there is the one that this warehouse is for.
select
  band.district_id,
  band.district_name,
  district.is_simulated,
  district.time_zone,
  band.state,
  band.locale,
  band.black_hispanic_band,
  band.free_reduced_band
from band
cross join {{ source("config", "district") }} as district

union all

select
  district.district_id,
  district.district_name,
  district.is_simulated,
  district.time_zone,
  cast(null as varchar) as state,
  cast(null as varchar) as locale,
  cast(null as varchar) as black_hispanic_band,
  cast(null as varchar) as free_reduced_band
from {{ source("config", "district") }} as district
where not exists (select 1 from band)
