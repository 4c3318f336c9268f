{{ current_records(
    source("landing", "registers__invoices"),
    ["invoice_line_id"]
) }}

select
  invoice_line_id,
  invoice_number,
  contract_id,
  vendor,
  tool,
  amount,
  currency,
  invoiced_on,
  paid_on,
  covers_from,
  covers_to,
  purchase_order,
  fund,
  account_code
from record
