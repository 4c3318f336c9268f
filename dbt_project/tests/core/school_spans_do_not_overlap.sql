-- What is this test?
--   No student is in two schools, or in two grades, on one date.
-- When is it important to resolve?
--   At once: a student in two spans is counted twice in every rate of eligible and active students.
-- How to resolve?
--   int_student_school_choice parts overlapping enrolments; a row here means that it failed to. It is a defect of the model,
--   not of the roster: report it with the rows.
{{ overlapping_spans(ref("int_student_school_span"), ["student_key"]) }}
