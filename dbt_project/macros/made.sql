{#-
  How tables are made, and when they are not made again.

  `build.version` holds, for each table that models read, a version: another one whenever its content may be another.
  uptake.warehouse.prepare writes those of schemas landing, config and ops; a model's is written here, in the transaction that
  makes its table. Beside it stands the recipe: the SQL and the versions of everything that it read. A model whose recipe is
  that of its table is left as it is, and what reads it then sees the same version: what did not change is not made again.

  - A version is a digest of the rows. Tables too long to be read through again get a new one each time they are made; facts that
    are kept by date grow with the history, and are too long much sooner than others.
  - Whatever is not known (a table without a version, a full refresh, `meta.is_always_made`) is made.
  - Models and tests depend on their inputs alone: no clock, no chance, and nothing of what they read is hidden from dbt.
    tests/warehouse/test_made.py holds every model to it.

  A model with `meta.checks_key` is held to its `meta.key` in the transaction that makes it: rows that repeat a key are never in
  a table, and no test has to look for them afterwards. Of a model that is kept by date or week the new rows are held to it:
  both are part of its key.

  A build that is killed leaves each table as it was or whole with its recipe, because both are one transaction.
-#}

{% macro longest_digest() -%}
  {{ return(10000 if config.get("incremental_strategy") in ("replace_dates", "replace_summary_dates") else 1000000) }}
{%- endmacro %}

{#- Adds the tables that a node reads, through views, to `found`, and to `seeds` the digests of its seeds' files, by name. -#}
{% macro add_inputs(node, found, seeds) -%}
  {%- for id in node.depends_on.nodes -%}
    {%- if id in graph.sources -%}
      {%- do found.append(graph.sources[id].schema ~ "." ~ graph.sources[id].identifier) -%}
    {%- elif graph.nodes[id].resource_type == "seed" -%}
      {%- do seeds.update({graph.nodes[id].alias: graph.nodes[id].checksum.checksum}) -%}
    {%- elif graph.nodes[id].config.materialized == "view" -%}
      {%- do add_inputs(graph.nodes[id], found, seeds) -%}
    {%- else -%}
      {%- do found.append(graph.nodes[id].schema ~ "." ~ graph.nodes[id].alias) -%}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}

{#-
  `build.version` as {name: {version, shape, recipe}}. It is read once in a run, at the first node, and kept in dbt's `graph`, which
  all nodes share: to ask for each node costs more than most nodes. Nobody else writes it while a build runs.
-#}
{% macro known_versions() -%}
  {%- if "build_versions" not in graph -%}
    {%- set found = {} -%}
    {%- for row in fromjson(run_query(rows_as_json("build.version")).rows[0][0] or "[]") -%}
      {%- do found.update({row["name"]: row}) -%}
    {%- endfor -%}
    {#- Two nodes may begin at once: what the first has read counts for both. -#}
    {%- do graph.setdefault("build_versions", found) -%}
  {%- endif -%}
  {{ return(graph["build_versions"]) }}
{%- endmacro %}

{#-
  {name, recipe, is_made} of the node that is being made. The recipe is empty where an input has no version. column: which of
  `build.version` counts: a view depends on the columns (shape) of what it reads, not on the rows.
-#}
{% macro recipe(sql, name, column="version") -%}
  {%- set inputs, versions = [], {} -%}
  {%- do add_inputs(model, inputs, versions) -%}
  {%- set strategy = config.get("incremental_strategy") -%}
  {%- if strategy == "replace_dates" -%}{%- do inputs.append("landing.touched_date") -%}{%- endif -%}
  {%- if strategy == "replace_summary_dates" -%}{%- do inputs.append("landing.touched_summary_date") -%}{%- endif -%}
  {%- if strategy == "replace_weeks" -%}{%- do inputs.append("landing.touched_week") -%}{%- endif -%}
  {%- if strategy == "replace_built_weeks" -%}
    {%- do inputs.append("intermediate.int_week") -%}{%- do inputs.append("intermediate.int_week_to_build") -%}
  {%- endif -%}
  {%- set known = known_versions() -%}
  {%- for input in inputs | unique -%}
    {%- do versions.update({input: known.get(input, {}).get(column)}) -%}
  {%- endfor -%}
  {%- set is_known = none not in versions.values() and not (config.get("meta") or {}).get("is_always_made") -%}
  {%- set now = local_md5(sql ~ tojson(model.config["post-hook"] or []) ~ tojson(versions, sort_keys=True)) if is_known else "" -%}
  {%- set before = known.get(name, {}).get("recipe") -%}
  {{ return({"name": name, "recipe": now, "is_made": now != "" and before == now and not should_full_refresh()}) }}
{%- endmacro %}

{#- Writes the version and recipe of `relation`, in the transaction that made it, and ends that. -#}
{% macro remember_made(relation, made) -%}
  {%- set rows = run_query("select count(*) from " ~ relation).rows[0][0] -%}
  {%- set is_digest = rows <= longest_digest() -%}
  {%- set version -%}
    {%- if is_digest -%}
      (select concat_ws(' ', count(*), {{ digest_of_rows("one") }}) from {{ relation }} as one)
    {%- else -%}
      {{ random_text() }}
    {%- endif -%}
  {%- endset -%}
  {%- do write_version(made, version) -%}
{%- endmacro %}

{#- version: an expression. Ends the transaction. A letter stands first, since what is read back as digits would be a number. -#}
{% macro write_version(made, version="null") -%}
  {%- set written = run_query(
      "delete from build.version where name = '" ~ made.name ~ "'; insert into build.version (name, version, shape, recipe) values ('"
      ~ made.name ~ "', 'v' || " ~ version ~ ", 'made', '" ~ made.recipe ~ "') returning version"
  ).rows[0][0] -%}
  {%- do adapter.commit() -%}
  {%- do known_versions().update({made.name: {"version": written, "shape": "made", "recipe": made.recipe}}) -%}
{%- endmacro %}

{#- Ends a materialization that has nothing to do. -#}
{% macro leave_as_it_is() -%}
  {%- call noop_statement("main", "UNCHANGED", "UNCHANGED", 0) -%}{%- endcall -%}
{%- endmacro %}

{% macro has_constraints() -%}
  {%- set found = model.columns.values() | selectattr("constraints") | list -%}
  {{ return(found | length > 0 or (model.constraints or []) | length > 0) }}
{%- endmacro %}

{#- Ends the build where two rows of `relation` have one key. -#}
{% macro check_key(relation) -%}
  {%- set meta = config.get("meta") or {} -%}
  {%- if meta.get("checks_key") -%}
    {%- set key = meta["key"] | join(", ") -%}
    {%- set repeated = run_query(
        "select count(*), coalesce(sum(n), 0) from (select count(*) as n from " ~ relation ~ " group by " ~ key ~ " having count(*) > 1)"
    ).rows[0] -%}
    {%- if repeated[0] > 0 -%}
      {%- do exceptions.raise_compiler_error(
          repeated[0] ~ " keys (" ~ key ~ ") are repeated in " ~ repeated[1] ~ " rows. Every number that is counted over them would be"
          ~ " too large. Look for a join that multiplies rows, or a source that sends a record twice under one key; the SQL is in target/compiled."
      ) -%}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{#- A whole new table in place of the old one, held to the model's contract. -#}
{% macro make_table(relation, sql) -%}
  {%- set is_enforced = config.get("contract").enforced -%}
  {%- call statement("main") -%}
    {%- if is_enforced and has_constraints() -%}
      {{ get_assert_columns_equivalent(sql) }}
      create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
      insert into {{ relation }} {{ get_column_names() }} ({{ get_select_subquery(sql) }});
    {%- elif is_enforced -%}
      create or replace table {{ relation }} as ({{ get_select_subquery(sql) }});
    {%- else -%}
      create or replace table {{ relation }} as ({{ sql }});
    {%- endif -%}
  {%- endcall -%}
  {%- if is_enforced and not has_constraints() -%}
    {#- The columns of the table itself: to ask the SQL would plan it a second time. -#}
    {%- do get_assert_columns_equivalent("select * from " ~ relation) -%}
  {%- endif -%}
  {%- do check_key(relation) -%}
{%- endmacro %}

{% materialization table, adapter="duckdb" -%}
  {%- set target = this.incorporate(type="table") -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set made = recipe(sql, this.schema ~ "." ~ this.identifier) -%}
  {%- if made.is_made and existing is not none and existing.is_table -%}
    {{ leave_as_it_is() }}
  {%- else -%}
    {%- if existing is not none and not existing.is_table -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
    {{ make_table(target, sql) }}
    {{ run_hooks(post_hooks) }}
    {%- do remember_made(target, made) -%}
  {%- endif -%}
  {{ return({"relations": [target]}) }}
{%- endmaterialization %}

{#- The dates or weeks of the strategy are replaced; the first time and on a full refresh the whole table. -#}
{% materialization incremental, adapter="duckdb" -%}
  {%- set target = this.incorporate(type="table") -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set made = recipe(sql, this.schema ~ "." ~ this.identifier) -%}
  {%- if existing is not none and not existing.is_table -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
  {%- if existing is none or not existing.is_table or should_full_refresh() -%}
    {{ make_table(target, sql) }}
  {%- elif made.is_made -%}
    {{ leave_as_it_is() }}
    {{ return({"relations": [target]}) }}
  {%- else -%}
    {%- set fresh = make_temp_relation(target) -%}
    {%- call statement() -%}
      create or replace temporary table {{ fresh.include(database=false, schema=false) }} as (
        {{ get_select_subquery(sql) if config.get("contract").enforced else sql }}
      )
    {%- endcall -%}
    {%- if config.get("contract").enforced -%}
      {%- do get_assert_columns_equivalent("select * from " ~ fresh.include(database=false, schema=false)) -%}
    {%- endif -%}
    {%- do check_key(fresh.include(database=false, schema=false)) -%}
    {%- set columns = process_schema_changes(config.get("on_schema_change"), fresh, existing)
        or adapter.get_columns_in_relation(existing) -%}
    {%- set replace = adapter.get_incremental_strategy_macro(context, config.get("incremental_strategy")) -%}
    {%- call statement("main") -%}
      {{ replace({"target_relation": target, "temp_relation": fresh, "dest_columns": columns}) }}
      drop table {{ fresh.include(database=false, schema=false) }};
    {%- endcall -%}
  {%- endif -%}
  {{ run_hooks(post_hooks) }}
  {%- do remember_made(target, made) -%}
  {{ return({"relations": [target]}) }}
{%- endmaterialization %}

{% materialization view, adapter="duckdb" -%}
  {%- set target = this.incorporate(type="view") -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set made = recipe(sql, this.schema ~ "." ~ this.identifier, column="shape") -%}
  {%- if made.is_made and existing is not none and existing.is_view -%}
    {{ leave_as_it_is() }}
  {%- else -%}
    {%- if existing is not none and not existing.is_view -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
    {%- call statement("main") -%}
      create or replace view {{ target }} as ({{ sql }})
    {%- endcall -%}
    {%- do write_version(made) -%}
  {%- endif -%}
  {{ return({"relations": [target]}) }}
{%- endmaterialization %}

{#- A test of tables that are as they were when it passed is not asked again. One that found anything always is. -#}
{% materialization test, adapter="duckdb" -%}
  {%- set made = recipe(sql, "test." ~ model.alias ~ "." ~ local_md5(model.unique_id)) -%}
  {%- if made.is_made -%}
    {%- call statement("main", fetch_result=True) -%}
      select 0 as failures, false as should_warn, false as should_error
    {%- endcall -%}
  {%- else -%}
    {%- call statement("main", fetch_result=True) -%}
      {{ get_test_sql(get_limit_subquery_sql(sql, config.get("limit")), config.get("fail_calc"), config.get("warn_if"),
         config.get("error_if"), limit=none) }}
    {%- endcall -%}
    {%- if load_result("main").table.rows[0][0] == 0 -%}
      {%- do write_version(made) -%}
    {%- endif -%}
  {%- endif -%}
  {{ return({"relations": []}) }}
{%- endmaterialization %}
