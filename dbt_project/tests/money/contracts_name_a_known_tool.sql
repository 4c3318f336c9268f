{{ config(severity="warn") }}
-- What is this test?
--   Contracts whose tool is called as no tool of the catalogue, or as several.
-- When is it important to resolve?
--   Before a renewal is decided: such a contract has a cost and no use to set against it.
-- How to resolve?
--   Write the tool's name in the register as the tool catalogue has it, or add the tool to the catalogue.
select contract_key, tool_name_on_contract
from {{ ref("dim_contract") }}
where tool_key is null
