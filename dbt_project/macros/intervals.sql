{#-
  95 % intervals for two independent shares, x1 of n1 against x2 of n2.

  Difference: Newcombe's hybrid score interval, method 10 of Newcombe, R. G. (1998), Interval estimation for the difference
  between independent proportions, Statistics in Medicine 17, 873-890; from Wilson's score interval of each share.
  Ratio: Katz's log interval, Katz et al. (1978), Obtaining confidence intervals for the risk ratio in cohort studies,
  Biometrics 34, 469-474; undefined where a count is 0.
-#}
{% macro z95() -%}
  1.959963984540054
{%- endmacro %}

{% macro wilson_bound(x, n, sign) -%}
  (
    (2.0 * {{ x }} + {{ z95() }} * {{ z95() }} {{ sign }} {{ z95() }} * sqrt(
      {{ z95() }} * {{ z95() }} + 4.0 * {{ x }} * (1.0 - {{ x }} / cast({{ n }} as double))
    )) / (2.0 * ({{ n }} + {{ z95() }} * {{ z95() }}))
  )
{%- endmacro %}

{% macro newcombe_low(x1, n1, x2, n2) -%}
  (
    {{ share(x1, n1) }} - {{ share(x2, n2) }} - sqrt(
      power({{ share(x1, n1) }} - {{ wilson_bound(x1, n1, "-") }}, 2) + power({{ wilson_bound(x2, n2, "+") }} - {{ share(x2, n2) }}, 2)
    )
  )
{%- endmacro %}

{% macro newcombe_high(x1, n1, x2, n2) -%}
  (
    {{ share(x1, n1) }} - {{ share(x2, n2) }} + sqrt(
      power({{ wilson_bound(x1, n1, "+") }} - {{ share(x1, n1) }}, 2) + power({{ share(x2, n2) }} - {{ wilson_bound(x2, n2, "-") }}, 2)
    )
  )
{%- endmacro %}

{% macro share(x, n) -%}
  ({{ x }} / cast({{ n }} as double))
{%- endmacro %}

{% macro katz_bound(x1, n1, x2, n2, sign) -%}
  case when {{ x1 }} > 0 and {{ x2 }} > 0 then
    {{ share(x1, n1) }} / {{ share(x2, n2) }} * exp({{ sign }}{{ z95() }} * sqrt(
      greatest(1.0 / {{ x1 }} - 1.0 / {{ n1 }} + 1.0 / {{ x2 }} - 1.0 / {{ n2 }}, 0)
    ))
  end
{%- endmacro %}
