{{ current_records(source("landing", "edfi__localEducationAgencies"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(localEducationAgencyId as varchar) as local_education_agency_id,
  nameOfInstitution as name
from record
