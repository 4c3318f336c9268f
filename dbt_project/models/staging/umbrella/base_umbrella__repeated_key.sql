{{ config(materialized="table") }}
-- Hashes of the keys that came more than once on the dates being rebuilt. Kept, because to find them in millions of rows is
-- the dearest part both of reading each request once and of counting them.
{{ repeated_hashes(source("landing", "umbrella__activity"), ["event_key"]) }}
