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
