"""Schools, people, classes and a year of roster changes, drawn once from the seed.

Everything is a column (numpy array) over students, placements (a student's stay in one school) or classes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uptake.sandbox.names import FAMILY, GIVEN, SCHOOLS
from uptake.sandbox.schoolyear import NEVER, SchoolYear
from uptake.sandbox.truths import Truths

GRADES = ("KG", *(f"{grade:02d}" for grade in range(1, 13)))
LEVELS = {"elementary": range(0, 6), "middle": range(6, 9), "high": range(9, 13)}
SUBJECTS = ("mathematics", "english", "science", "social studies", "elective, fall", "elective, spring")
MATHEMATICS, ENGLISH, SCIENCE = 0, 1, 2
ELEMENTARY_SUBJECTS = 3  # the first three are taught in every grade
RACES = ("white", "hispanic", "black", "asian", "two_or_more", "american_indian", "pacific_islander")
RACE_SHARES = (0.46, 0.27, 0.14, 0.06, 0.05, 0.012, 0.008)
SEXES = ("female", "male", "other", "unspecified")
STUDENT_DOMAIN, STAFF_DOMAIN = "students.riverbend.example", "riverbend.example"

ENDED, TOMBSTONE, VANISH = 0, 1, 2  # what the roster does with a row that is over


@dataclass(frozen=True)
class School:
    number: int
    name: str
    level: str
    sourced_id: str


@dataclass(frozen=True)
class Classes:
    """Columns over classes. `term`: 0 the year, 1 fall, 2 spring. `section` counts within school, grade, subject."""

    school: np.ndarray
    grade: np.ndarray
    subject: np.ndarray
    section: np.ndarray
    term: np.ndarray
    teacher: np.ndarray
    is_effect: np.ndarray  # mathematics classes to which the tool with an effect is assigned
    is_no_effect: np.ndarray  # English classes whose teachers chose the tool without one

    def __len__(self) -> int:
        return len(self.school)


def school_plan(students: int) -> list[School]:
    """How many schools of each level: 3 for a small district, 6 for the demo, then by usual school sizes."""
    if students < 600:
        counts = [1, 1, 1]
    elif students < 4000:
        counts = [3, 2, 1]
    else:
        usual = (500, 700, 1400)
        counts = [
            max(1, round(students * len(LEVELS[level]) / 13 / size)) for level, size in zip(LEVELS, usual, strict=True)
        ]
    schools: list[School] = []
    for level, count in zip(LEVELS, counts, strict=True):
        for _ in range(count):
            number = len(schools)
            round_, place = divmod(number, len(SCHOOLS))
            suffix = f" {round_ + 1}" if round_ else ""
            kind = {"elementary": "Elementary", "middle": "Middle School", "high": "High School"}[level]
            schools.append(School(number, f"{SCHOOLS[place]}{suffix} {kind}", level, f"ORG-{number + 1:03d}"))
    return schools


class People:
    """`count` students and their schools. The same seed and count give the same district, byte for byte."""

    def __init__(self, count: int, year: SchoolYear, truths: Truths) -> None:
        if count < 39:
            raise ValueError("a district needs at least 39 students: three in each grade")
        self.count, self.year, self.truths = count, year, truths
        self.schools = school_plan(count)
        self._rng = np.random.default_rng([truths.seed, 1, count])
        self._draw_students()
        self._draw_changes()
        self._place()
        self._teach()

    def _draw_students(self) -> None:
        rng, n = self._rng, self.count
        self.grade = np.arange(n) * 13 // n
        self.school = np.empty(n, dtype=np.int32)
        for level, grades in LEVELS.items():
            schools = np.array([s.number for s in self.schools if s.level == level])
            members = np.flatnonzero((self.grade >= grades.start) & (self.grade < grades.stop))
            self.school[members] = schools[np.arange(len(members)) % len(schools)]
        self.given = rng.integers(len(GIVEN), size=n)
        self.family = rng.integers(len(FAMILY), size=n)
        self.sex = rng.choice(4, n, p=(0.485, 0.5, 0.01, 0.005)).astype(np.int8)
        self.race = rng.choice(len(RACES), n, p=RACE_SHARES).astype(np.int8)
        poverty = np.linspace(0.28, 0.62, len(self.schools))[np.argsort(rng.random(len(self.schools)))]
        self.is_disadvantaged = rng.random(n) < poverty[self.school]
        self.has_disability = rng.random(n) < 0.14
        self.is_english_learner = rng.random(n) < np.where(self.race == 1, 0.32, 0.05)
        self.ability = rng.normal(size=n) - 0.35 * self.is_disadvantaged - 0.3 * self.has_disability
        self.ability = (self.ability - self.ability.mean()) / self.ability.std()
        # Student numbers are not in roster order, so that no one can read the grade off an id.
        self.number = rng.permutation(n) + 1

    def _draw_changes(self) -> None:
        rng, n, shares = self._rng, self.count, self.truths.roster_changes
        days = self.year.instructional
        draw, day = rng.random(n), days[rng.integers(8, len(days) - 8, size=n)]
        edges = np.cumsum([shares.entries, shares.withdrawals, shares.moves, shares.class_changes])
        kind = np.searchsorted(edges, draw, side="right")
        twins = {
            s.number: [o.number for o in self.schools if o.level == s.level and o.number != s.number]
            for s in self.schools
        }
        can_move = np.array([bool(twins[s.number]) for s in self.schools])[self.school]
        self.enters_on = np.where(kind == 0, day, self.year.first)
        self.leaves_on = np.where(kind == 1, day, self.year.last)  # last day in the district
        self.is_leaver = kind == 1
        self.exit_kind = rng.choice(3, n, p=(0.3, 0.35, 0.35)).astype(np.int8)
        is_mover = (kind == 2) & can_move
        self.moves_on = np.where(is_mover, day, NEVER)  # first day in the new school
        self.next_school = self.school.copy()
        for i in np.flatnonzero(is_mover).tolist():
            others = twins[int(self.school[i])]
            self.next_school[i] = others[i % len(others)]
        self.changes_class_on = np.where(kind == 3, day, NEVER)
        # A few families' circumstances change within the year.
        worse = (rng.random(n) < 0.01) & ~self.is_disadvantaged
        self.disadvantaged_from = np.where(self.is_disadvantaged, self.year.first, np.where(worse, day, NEVER))

    def _place(self) -> None:
        """Placements: a student's stay in a school, and the class taken there in each subject."""
        movers = np.flatnonzero(self.moves_on != NEVER)
        self.place_student = np.concatenate([np.arange(self.count), movers])
        self.place_school = np.concatenate([self.school, self.next_school[movers]])
        self.place_grade = self.grade[self.place_student]
        ends = np.where(self.moves_on != NEVER, self.moves_on - 1, self.leaves_on)
        self.place_starts = np.concatenate([self.enters_on, self.moves_on[movers]])
        self.place_ends = np.concatenate([ends, self.leaves_on[movers]])
        self.second_place = np.full(self.count, -1, dtype=np.int64)
        self.second_place[movers] = np.arange(len(movers)) + self.count

        rng, total = self._rng, len(self.place_student)
        self.place_class = np.full((total, len(SUBJECTS)), -1, dtype=np.int32)
        group = self.place_school.astype(np.int64) * 13 + self.place_grade
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        columns: list[tuple[int, int, int, int]] = []
        studied = {GRADES.index(grade) for grade in self.truths.effect.grades}
        for members in np.split(order, starts[1:]):
            school, grade = int(self.place_school[members[0]]), int(self.place_grade[members[0]])
            subjects = ELEMENTARY_SUBJECTS if grade < 6 else len(SUBJECTS)
            for subject in range(subjects):
                sections = max(2 if grade in studied and subject <= ENGLISH else 1, round(len(members) / 24))
                # English is streamed by ability (loosely), everything else is mixed.
                merit = self.ability[self.place_student[members]] if subject == ENGLISH and grade in studied else 0.0
                rank = np.argsort(np.argsort(merit + 1.5 * rng.normal(size=len(members))))
                self.place_class[members, subject] = len(columns) + rank * sections // len(members)
                columns += [(school, grade, subject, section) for section in range(sections)]
        school_, grade_, subject_, section_ = (
            np.array(column, dtype=np.int32) for column in zip(*columns, strict=True)
        )
        sizes = np.zeros(len(columns), dtype=np.int32)
        np.maximum.at(sizes, np.arange(len(columns)) - section_, section_ + 1)
        sections = sizes[np.arange(len(columns)) - section_]  # sections of the same school, grade and subject
        in_studied = np.isin(grade_, sorted(studied))
        self.classes = Classes(
            school=school_,
            grade=grade_,
            subject=subject_,
            section=section_,
            term=np.where(subject_ == 4, 1, np.where(subject_ == 5, 2, 0)),
            teacher=np.zeros(len(columns), dtype=np.int32),
            # The odd section out, where there is one, goes to either arm by school and grade.
            is_effect=(subject_ == MATHEMATICS) & in_studied & ((section_ + school_ + grade_) % 2 == 0),
            is_no_effect=(subject_ == ENGLISH) & in_studied & (section_ >= (sections + 1) // 2),
        )
        self.class_sections = sections

    def _teach(self) -> None:
        """A teacher for each elementary section, and one for five classes of a subject above; a principal a school."""
        classes = self.classes
        elementary = classes.grade < 6
        key = np.where(
            elementary,
            (classes.school * 13 + classes.grade) * 100 + classes.section,
            -((classes.school * 10 + classes.subject) + 1),
        ).astype(np.int64)
        order = np.lexsort((classes.section, classes.grade, key))
        turn = np.arange(len(key)) - np.maximum.accumulate(
            np.where(np.diff(key[order], prepend=-(2**62)) != 0, np.arange(len(key)), 0)
        )
        share = np.zeros(len(key), dtype=np.int64)
        share[order] = turn
        full = np.stack([key, np.where(elementary, 0, share // 5)], axis=1)
        _, teacher = np.unique(full, axis=0, return_inverse=True)
        classes.teacher[:] = teacher.reshape(-1)
        self.teachers = int(teacher.max()) + 1
        self.staff = self.teachers + len(self.schools)  # then one principal a school
        self.staff_school = np.zeros(self.staff, dtype=np.int32)
        self.staff_school[classes.teacher] = classes.school
        self.staff_school[self.teachers :] = np.arange(len(self.schools))
        rng = np.random.default_rng([self.truths.seed, 2, self.count])
        self.staff_given = rng.integers(len(GIVEN), size=self.staff)
        self.staff_family = rng.integers(len(FAMILY), size=self.staff)

    @cached_property
    def is_effect_student(self) -> np.ndarray:
        """bool over students: was in a mathematics class with the tool that works, from the start."""
        return self.classes.is_effect[self.place_class[: self.count, MATHEMATICS]]

    @cached_property
    def is_no_effect_student(self) -> np.ndarray:
        return self.classes.is_no_effect[self.place_class[: self.count, ENGLISH]]

    def placement_on(self, day: int) -> np.ndarray:
        """int64 over students: the placement in force that day (enrolled or not; see `is_enrolled`)."""
        return np.where(self.moves_on <= day, self.second_place, np.arange(self.count))

    def is_enrolled(self, day: int) -> np.ndarray:
        return (self.enters_on <= day) & (day <= self.leaves_on)

    def student_id(self, student: int) -> str:
        return f"STU-{self.number[student]:07d}"

    def staff_id(self, member: int) -> str:
        return f"STF-{member + 1:05d}"

    @cached_property
    def emails(self) -> list[str]:
        """Students' addresses, then staff's: the index is the one that usage rows carry."""
        given, family = [_ascii(name) for name in GIVEN], [_ascii(name) for name in FAMILY]
        students = [
            f"{given[g]}.{family[f]}.{number}@{STUDENT_DOMAIN}"
            for g, f, number in zip(self.given.tolist(), self.family.tolist(), self.number.tolist(), strict=True)
        ]
        staff = [
            f"{given[g]}.{family[f]}{member + 1}@{STAFF_DOMAIN}"
            for member, (g, f) in enumerate(zip(self.staff_given.tolist(), self.staff_family.tolist(), strict=True))
        ]
        return students + staff


def _ascii(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
