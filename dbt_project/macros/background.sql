{#-
  Categories of a web filter whose requests no person asks for, as Cisco Talos names them
  (https://talosintelligence.com/categories): updates, advertisements and what pages load from elsewhere.
-#}
{% macro background_categories() -%}
  {{ return(["Software Updates", "Advertisements", "Infrastructure and Content Delivery Networks"]) }}
{%- endmacro %}

{#- The same, as Cloudflare Gateway names them (https://developers.cloudflare.com/cloudflare-one/traffic-policies/domain-categories/). -#}
{% macro cloudflare_background_categories() -%}
  {{ return(["Advertisements", "Deceptive Ads", "Content Servers"]) }}
{%- endmacro %}

{#- The same, as Zscaler names them (https://help.zscaler.com/zia/about-url-categories). -#}
{% macro zscaler_background_categories() -%}
  {{ return(["Advertising", "CDN", "Operating System and Software Updates"]) }}
{%- endmacro %}

{#- The same, as Palo Alto Networks names them (https://docs.paloaltonetworks.com/advanced-url-filtering/administration/url-filtering-basics/url-categories). -#}
{% macro paloalto_background_categories() -%}
  {{ return(["web-advertisements", "content-delivery-networks"]) }}
{%- endmacro %}

{#- Whether a proxy or firewall says by its action that it did not let a request through: Squid's TCP_DENIED/403, Palo Alto's block-url, block-continue (the page that asks first), deny, drop and reset. -#}
{% macro is_refusal(action) -%}
  coalesce(
    lower({{ action }}) like '%denied%' or lower({{ action }}) like 'block%' or lower({{ action }}) like 'deny%'
    or lower({{ action }}) like 'drop%' or lower({{ action }}) like 'reset%',
    false
  )
{%- endmacro %}
