-- What is this test?
--   On any date a student is in at most one subgroup of a dimension.
-- When is it important to resolve?
--   At once: the student would be counted on both sides of a gap.
-- How to resolve?
--   attribute_spans ends a span where the next begins; a row here means that it failed to. It is a defect of the model:
--   report it.
{{ overlapping_spans(ref("brg_student_subgroup"), ["student_key", "dimension"]) }}
