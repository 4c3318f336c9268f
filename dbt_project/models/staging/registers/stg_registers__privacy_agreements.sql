{{ current_records(
    source("landing", "registers__privacy_agreements"),
    ["agreement_id"]
) }}

select
  agreement_id,
  tool,
  vendor,
  agreement,
  status,
  signed_on,
  expires_on,
  reviewed_on,
  data_elements,
  has_general_offer = 'yes' as has_general_offer,
  names_subprocessors = 'yes' as names_subprocessors,
  breach_notice_hours,
  deletion_days,
  security_framework,
  allows_advertising = 'yes' as allows_advertising
from record
