{#-
  host -> registered_domain for each host of a query: the public suffix that the host ends with, and one label more.

  Suffixes are those of the Public Suffix List (config.public_suffix: of several rules the longest counts, but an exception
  before all; where none matches the last label is the suffix), and the domains of the seed `shared_domain`, under which many
  live that the list does not name.
-#}
{% macro registered_domains(hosts) -%}
  with hosts as ({{ hosts }}),
  suffix as (
    select domain, labels, is_exception from {{ source("config", "public_suffix") }}
    union all
    select domain, {{ list_length(split_to_list("domain", "'.'")) }}, false from {{ ref("shared_domain") }}
  ),
  -- A join on equal text, for each length that a suffix can have: there are ten thousand suffixes.
  ending as (
    select hosts.host, {{ last_labels("hosts.host", "length.labels") }} as domain
    from hosts
    cross join (
      select {{ whole_numbers(1, "longest.labels + 1") }} as labels
      from (select max(labels) as labels from suffix) as longest
    ) as length
    where length.labels <= {{ list_length(split_to_list("hosts.host", "'.'")) }}
  ),
  matched as (
    select
      ending.host,
      coalesce(min(case when suffix.is_exception then suffix.labels end), max(suffix.labels)) as labels
    from ending
    inner join suffix on suffix.domain = ending.domain
    group by ending.host
  )
  select
    hosts.host,
    {{ last_labels("hosts.host", "coalesce(matched.labels, 1) + 1") }} as registered_domain
  from hosts
  left join matched on matched.host = hosts.host
{%- endmacro %}
