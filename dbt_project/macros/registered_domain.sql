{#-
  host -> registered_domain for each host of a query: one label more than the longest entry of the seed `shared_domain`
  that the host ends with, or than its last label. The seed lists what is shared by many: public suffixes, hosting
  companies, and companies that run several products under one domain, where a shared domain says nothing of the tool.
-#}
{% macro registered_domains(hosts) -%}
  with hosts as ({{ hosts }}),
  shared as (
    select
      hosts.host,
      max({{ list_length(split_to_list("shared_domain.domain", "'.'")) }}) as labels
    from hosts
    inner join {{ ref("shared_domain") }} as shared_domain
      on hosts.host = shared_domain.domain or ends_with(hosts.host, concat('.', shared_domain.domain))
    group by hosts.host
  )
  select
    hosts.host,
    {{ last_labels("hosts.host", "coalesce(shared.labels, 1) + 1") }} as registered_domain
  from hosts
  left join shared on shared.host = hosts.host
{%- endmacro %}
