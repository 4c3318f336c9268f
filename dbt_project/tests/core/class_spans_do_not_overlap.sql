-- What is this test?
--   No student is in one class twice on one date.
-- When is it important to resolve?
--   At once: class pages would count the student twice.
-- How to resolve?
--   merged_spans joins enrolments of one class; a row here means that it failed to. It is a defect of the model: report it.
{{ overlapping_spans(ref("int_student_class_span"), ["student_key", "class_key"]) }}
