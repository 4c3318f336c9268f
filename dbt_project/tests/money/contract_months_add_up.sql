-- What is this test?
--   The months of a contract add up to its price, to the cent.
-- When is it important to resolve?
--   At once: cost pages would not agree with the invoices.
-- How to resolve?
--   largest_remainder hands out every cent; a row here is a defect of fct_contract_period, or a contract that ends before
--   it starts: mend its dates in the register.
select
  contract.contract_key,
  contract.price,
  sum(period.cost) as spread
from {{ ref("dim_contract") }} as contract
left join {{ ref("fct_contract_period") }} as period on period.contract_key = contract.contract_key
where contract.price is not null
group by contract.contract_key, contract.price
having coalesce(sum(period.cost), -1) <> contract.price
