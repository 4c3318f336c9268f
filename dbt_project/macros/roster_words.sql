{#-
  The words of rosters that have vocabularies of their own, and what each is here: grades as CEDS codes, subgroups as
  brg_student_subgroup has them. Words are compared by their letters and digits alone. A word under which nothing stands says
  nothing; one that is not in the list is not guessed at, and shown (int_roster_unknown_word).

  Clever: https://dev.clever.com/docs/data-model and https://dev.clever.com/docs/api-v31. Ed-Fi: the descriptors of
  https://github.com/Ed-Fi-Alliance-OSS/Ed-Fi-Data-Standard. Grades: CEDS Entry Grade Level, as OneRoster has them.
-#}
{% macro roster_words(vocabulary) -%}
  {{ return({
    "grade": {
      "IT": ["infanttoddler"],
      "PR": ["preschool"],
      "PK": ["prekindergarten", "preschoolprekindergarten"],
      "TK": ["transitionalkindergarten"],
      "KG": ["kindergarten"],
      "01": ["1", "01", "firstgrade"],
      "02": ["2", "02", "secondgrade"],
      "03": ["3", "03", "thirdgrade"],
      "04": ["4", "04", "fourthgrade"],
      "05": ["5", "05", "fifthgrade"],
      "06": ["6", "06", "sixthgrade"],
      "07": ["7", "07", "seventhgrade"],
      "08": ["8", "08", "eighthgrade"],
      "09": ["9", "09", "ninthgrade"],
      "10": ["10", "tenthgrade"],
      "11": ["11", "eleventhgrade"],
      "12": ["12", "twelfthgrade"],
      "13": ["13", "grade13"],
      "PS": ["postgraduate", "postsecondary"],
      "UG": ["ungraded"],
      "": ["other"],
    },
    "race": {
      "american_indian_or_alaska_native": ["americanindian", "americanindianoralaskanative", "americanindianalaskanative"],
      "asian": ["asian"],
      "black_or_african_american": ["black", "blackorafricanamerican", "blackafricanamerican"],
      "native_hawaiian_or_pacific_islander": [
        "hawaiianorotherpacificislander", "nativehawaiianorotherpacificislander", "nativehawaiianpacificislander"
      ],
      "white": ["white", "caucasian"],
      "hispanic_or_latino": ["hispanic", "hispanicorlatino"],
      "two_or_more_races": ["twoormoreraces", "twoormore"],
      "": ["unknown", "other", "choosenottorespond"],
    },
    "gender": {
      "female": ["f", "female"],
      "male": ["m", "male"],
      "other": ["x", "nonbinary", "other"],
      "": ["unknown", "notselected", "unspecified"],
    },
    "attendance": {
      "present": ["inattendance", "present"],
      "excused_absence": ["excusedabsence"],
      "unexcused_absence": ["unexcusedabsence"],
      "tardy": ["tardy"],
      "early_departure": ["earlydeparture"],
      "partial": ["partial"],
      "": ["unknown"],
    },
    "english_learner": {
      "yes": ["limited"],
      "no": ["notlimited", "limitedmonitored1", "limitedmonitored2"],
      "": ["unknown"],
    },
    "economic_disadvantage": {
      "yes": ["free", "reduced", "eligibleforfreemeals", "eligibleforreducedpricemeals", "othereconomicdisadvantage"],
      "no": ["paid", "notqualifiedaseconomicallydisadvantaged"],
      "": ["unknown", "other"],
    },
  }[vocabulary]) }}
{%- endmacro %}

{#- What a word of a roster is here; NULL where it says nothing or nobody knows it. -#}
{% macro roster_word(vocabulary, word) -%}
  case {{ bare_word(word) }}
    {%- for code, words in roster_words(vocabulary).items() if code %}
    {%- for one in words %}
    when '{{ one }}' then '{{ code }}'
    {%- endfor %}
    {%- endfor %}
  end
{%- endmacro %}

{#- Whether nobody knows a word. A blank is none. -#}
{% macro is_unknown_word(vocabulary, word) -%}
  {{ bare_word(word) }} not in ('', '{{ roster_words(vocabulary).values() | sum(start=[]) | join("', '") }}')
{%- endmacro %}

{#- Whether one of several words (as bare_words gives them) is this code. -#}
{% macro has_roster_word(vocabulary, words, code) -%}
  ({% for one in roster_words(vocabulary)[code] %}{{ words }} like '%|{{ one }}|%'{{ " or " if not loop.last }}{% endfor %})
{%- endmacro %}

{#- The codes of several words (as bare_words gives them), as a list. -#}
{% macro codes_of_words(vocabulary, words) -%}
  {%- set found = [] -%}
  {%- for code in roster_words(vocabulary) if code -%}
    {%- do found.append("case when " ~ has_roster_word(vocabulary, words, code) ~ " then '" ~ code ~ "' end") -%}
  {%- endfor -%}
  {{ list_of_those_known(found) }}
{%- endmacro %}
