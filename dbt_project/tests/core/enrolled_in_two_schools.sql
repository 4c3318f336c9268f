{{ config(severity="warn") }}
-- What is this test?
--   Students whose class enrolments put them in two schools on the same dates. One school was chosen for those dates: the
--   primary one, else the one begun last; these rows are the ones left out.
-- When is it important to resolve?
--   Before figures of a school are compared or published, when more than a handful of students are here.
-- How to resolve?
--   Ask the registrar to end the enrolment in the school that the student left, or to mark which school is the primary one.
--   For students who truly attend two schools nothing is wrong.
select student_key, school_key, starts_on, ends_on
from {{ ref("int_student_school_choice") }}
where not is_chosen
