"""The district as OneRoster 1.2 records: JSON fragments per resource, with the moments at which they come and change.

Record shapes: OneRoster 1.2 rostering and gradebook information models (1EdTech, 2022). District flags that the
standard has no place for are in the `metadata` extension of demographics, as true/false strings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

import numpy as np
import orjson

from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.enrolments import at_night, loaded_at
from uptake.sandbox.names import FAMILY, GIVEN
from uptake.sandbox.outcomes import ASSESSMENT, CATEGORIES
from uptake.sandbox.people import ELEMENTARY_SUBJECTS, ENDED, GRADES, RACES, SEXES, SUBJECTS, TOMBSTONE
from uptake.sandbox.records import Records
from uptake.sandbox.schoolyear import DAY_MS, NEVER, day_date
from uptake.sandbox.usage import ASSESSMENT_WINDOWS

DISTRICT_ID = "ORG-000"
SESSIONS = ("SES-2026", "SES-2026-FALL", "SES-2026-SPRING")  # by Classes.term
SUBJECT_CODES = ("MATH", "ENGL", "SCIE", "SOCI", "ELEF", "ELES")
_RACE_FIELDS = (
    "white", "hispanicOrLatinoEthnicity", "blackOrAfricanAmerican", "asian", "demographicRaceTwoOrMoreRaces",
    "americanIndianOrAlaskaNative", "nativeHawaiianOrOtherPacificIslander",
)  # fmt: skip
ROOT = "/ims/oneroster/rostering/v1p2"


def stamp(moment: int) -> str:
    return datetime.fromtimestamp(int(moment) / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamps(moments: np.ndarray) -> list[str]:
    """The same for a whole column."""
    text: list[str] = np.datetime_as_string(moments.astype("datetime64[ms]"), unit="ms").tolist()
    return [f"{moment}Z" for moment in text]


@cache
def day(number: int) -> str:
    return day_date(number).isoformat()


@cache
def ref(kind: str, sourced_id: str, path: str = "") -> orjson.Fragment:
    """A GUID reference, serialised once; `path` where the collection is not the kind's plural."""
    href = f"{ROOT}/{path or f'{kind}s'}/{sourced_id}"
    return orjson.Fragment(orjson.dumps({"href": href, "sourcedId": sourced_id, "type": kind}))


def school_ref(sourced_id: str) -> orjson.Fragment:
    return ref("org", sourced_id, "schools")


def class_ref(number: int) -> orjson.Fragment:
    return ref("class", class_id(number), "classes")


def record(sourced_id: str, modified: int | str, status: str = "active", **fields: Any) -> bytes:
    """A record's JSON; `modified` is an instant or its text. A trailing underscore keeps a field off Python's words."""
    moment = modified if isinstance(modified, str) else stamp(modified)
    head = {"sourcedId": sourced_id, "status": status, "dateLastModified": moment}
    return orjson.dumps(head | {name.rstrip("_"): value for name, value in fields.items()})


def truth(value: bool) -> str:
    return "true" if value else "false"


def class_id(number: int) -> str:
    return f"CLS-{number + 1:05d}"


def course_id(grade: int, subject: int) -> str:
    return f"CRS-{SUBJECT_CODES[subject]}-{GRADES[grade]}"


def item_id(number: int) -> str:
    return f"LIN-{number + 1:06d}"


def _ids(rows: list[bytes]) -> list[str]:
    """The sourcedId of each record: the first value of its text."""
    return [row[14 : row.index(b'"', 14)].decode() for row in rows]


class Roster:
    """Each resource's `Records`, built when first asked for. `collections` names them as the endpoints do."""

    def __init__(self, district: SimulatedDistrict) -> None:
        self.district = district
        self.people, self.year = district.people, district.year
        self._loaded = int(loaded_at(self.year, np.zeros(1, dtype=np.int64))[0])

    @cached_property
    def collections(self) -> dict[str, Callable[[], Records]]:
        return {
            "orgs": lambda: self.orgs,
            "academicSessions": lambda: self.sessions,
            "courses": lambda: self.courses,
            "classes": lambda: self.classes,
            "users": lambda: self.users,
            "enrollments": lambda: self.enrollments,
            "demographics": lambda: self.demographics,
            "categories": lambda: self.categories,
            "lineItems": lambda: self.line_items,
            "results": lambda: self.results,
        }

    def _fixed(self, rows: list[bytes], school: np.ndarray | None = None) -> Records:
        return Records(_ids(rows), rows, np.full(len(rows), self._loaded), school=school)

    @cached_property
    def orgs(self) -> Records:
        children = [ref("org", school.sourced_id) for school in self.people.schools]
        rows = [
            record(
                DISTRICT_ID, self._loaded,
                name="Riverbend Unified School District (simulated)", type="district", identifier="0000000",
                children=children,
            )
        ]  # fmt: skip
        rows += [
            record(
                school.sourced_id, self._loaded,
                name=school.name, type="school", identifier=f"{school.number + 1:07d}", parent=ref("org", DISTRICT_ID),
            )
            for school in self.people.schools
        ]  # fmt: skip
        return self._fixed(rows)

    @cached_property
    def sessions(self) -> Records:
        """An endDate of OneRoster is exclusive, here and in enrolments: the day after the last one."""
        year = self.year
        spans = ((year.first, year.last), year.fall, year.spring)
        titles = ("School year 2025-26", "Fall semester 2025", "Spring semester 2026")
        rows = []
        for number, (session, title, (first, last)) in enumerate(zip(SESSIONS, titles, spans, strict=True)):
            parent: dict[str, Any] = {"parent": ref("academicSession", SESSIONS[0])} if number else {}
            kind = "semester" if number else "schoolYear"
            rows.append(
                record(
                    session, self._loaded,
                    title=title, type=kind, startDate=day(first), endDate=day(last + 1), schoolYear="2026", **parent,
                )
            )  # fmt: skip
        return self._fixed(rows)

    @cached_property
    def courses(self) -> Records:
        rows = []
        for grade, name in enumerate(GRADES):
            for subject in range(ELEMENTARY_SUBJECTS if grade < 6 else len(SUBJECTS)):
                rows.append(
                    record(
                        course_id(grade, subject), self._loaded,
                        title=f"{SUBJECTS[subject].capitalize()}, grade {name}",
                        courseCode=f"{SUBJECT_CODES[subject]}-{name}", grades=[name], subjects=[SUBJECTS[subject]],
                        org=ref("org", DISTRICT_ID), schoolYear=ref("academicSession", SESSIONS[0]),
                    )
                )  # fmt: skip
        return self._fixed(rows)

    @cached_property
    def classes(self) -> Records:
        c, rows = self.people.classes, []
        columns = (c.school, c.grade, c.subject, c.section, c.term)
        for number, (school, grade, subject, section, term) in enumerate(
            zip(*(x.tolist() for x in columns), strict=True)
        ):
            rows.append(
                record(
                    class_id(number), self._loaded,
                    title=f"{SUBJECTS[subject].capitalize()} {GRADES[grade]}-{section + 1}",
                    classCode=f"{SUBJECT_CODES[subject]}-{GRADES[grade]}-{section + 1}", classType="scheduled",
                    grades=[GRADES[grade]], subjects=[SUBJECTS[subject]],
                    course=ref("course", course_id(grade, subject)),
                    school=school_ref(self.people.schools[school].sourced_id),
                    terms=[ref("academicSession", SESSIONS[term])],
                )
            )  # fmt: skip
        return self._fixed(rows, c.school)

    def _user(self, number: int, modified: int, school: int, *, enabled: bool = True, status: str = "active") -> bytes:
        people = self.people
        org = ref("org", people.schools[school].sourced_id)
        email = people.emails[number]
        return record(
            people.student_id(number), modified, status,
            enabledUser=truth(enabled), username=email.split("@")[0], email=email,
            identifier=f"{people.number[number] + 100_000}",
            givenName=GIVEN[people.given[number]], familyName=FAMILY[people.family[number]], middleName=None,
            userIds=[{"type": "SIS", "identifier": f"{people.number[number] + 100_000}"}],
            grades=[GRADES[people.grade[number]]], primaryOrg=org,
            roles=[{"roleType": "primary", "role": "student", "org": org}],
        )  # fmt: skip

    def _student_births(self) -> np.ndarray:
        people, rows = self.people, np.arange(self.people.count)
        entered = at_night(self.year, people.enters_on, rows)
        return np.where(people.enters_on > self.year.first, entered, loaded_at(self.year, rows))

    @cached_property
    def users(self) -> Records:
        people, rows = self.people, np.arange(self.people.count)
        born = self._student_births()
        changes_on = np.where(people.is_leaver, people.leaves_on + 1, people.moves_on)
        changed = np.where(changes_on < NEVER, at_night(self.year, changes_on, rows), NEVER)
        schools = people.school.tolist()
        before = [self._user(i, born[i], schools[i]) for i in range(people.count)]
        after = {}
        for i in np.flatnonzero(changed < NEVER).tolist():
            if not people.is_leaver[i]:
                after[i] = self._user(i, changed[i], int(people.next_school[i]))
            elif people.exit_kind[i] == ENDED:
                after[i] = self._user(i, changed[i], schools[i], enabled=False)
            elif people.exit_kind[i] == TOMBSTONE:
                after[i] = self._user(i, changed[i], schools[i], status="tobedeleted")
        before += [self._member(member) for member in range(people.staff)]
        staff_born = np.full(people.staff, self._loaded)
        return Records(
            _ids(before),
            before,
            np.concatenate([born, staff_born]),
            changed=np.concatenate([changed, np.full(people.staff, NEVER)]),
            after=after,
            school=np.concatenate([people.school, people.staff_school]),
        )

    def _member(self, member: int) -> bytes:
        people = self.people
        role = "teacher" if member < people.teachers else "principal"
        org = ref("org", people.schools[people.staff_school[member]].sourced_id)
        email = people.emails[people.count + member]
        return record(
            people.staff_id(member), self._loaded,
            enabledUser="true", username=email.split("@")[0], email=email, identifier=f"E{member + 1:05d}",
            givenName=GIVEN[people.staff_given[member]], familyName=FAMILY[people.staff_family[member]],
            middleName=None, userIds=[], grades=[], primaryOrg=org,
            roles=[{"roleType": "primary", "role": role, "org": org}],
        )  # fmt: skip

    def _enrolment(
        self,
        number: int,
        user: str,
        role: str,
        class_: int,
        *,
        modified: int,
        begins: int,
        ends: int,
        status: str = "active",
    ) -> bytes:
        school = self.people.schools[self.people.classes.school[class_]].sourced_id
        return record(
            f"ENR-{number + 1:07d}", modified, status,
            role=role, primary=truth(role == "teacher"), beginDate=day(begins), endDate=day(ends + 1),
            user=ref("user", user), class_=class_ref(class_),
            school=school_ref(school),
        )  # fmt: skip

    @cached_property
    def enrollments(self) -> Records:
        people, e = self.people, self.district.enrolments
        names = [people.student_id(i) for i in range(people.count)]
        columns = (e.student, e.class_, e.born, e.begins_on, e.ends_on)
        before = [
            self._enrolment(i, names[student], "student", class_, modified=born, begins=begins, ends=ends)
            for i, (student, class_, born, begins, ends) in enumerate(zip(*(c.tolist() for c in columns), strict=True))
        ]
        after = {}
        for i in np.flatnonzero((e.changed < NEVER) & (e.how <= TOMBSTONE)).tolist():
            status = "tobedeleted" if e.how[i] == TOMBSTONE else "active"
            after[i] = self._enrolment(
                i,
                names[e.student[i]],
                "student",
                int(e.class_[i]),
                modified=e.changed[i],
                begins=e.begins_on[i],
                ends=e.ended_on[i],
                status=status,
            )
        classes, year = people.classes, self.year
        spans = ((year.first, year.last), year.fall, year.spring)
        for class_, (teacher, term) in enumerate(zip(classes.teacher.tolist(), classes.term.tolist(), strict=True)):
            row, (begins, ends) = len(e) + class_, spans[term]
            user = people.staff_id(teacher)
            before.append(
                self._enrolment(row, user, "teacher", class_, modified=self._loaded, begins=begins, ends=ends)
            )
        count = len(classes)
        return Records(
            _ids(before),
            before,
            np.concatenate([e.born, np.full(count, self._loaded)]),
            changed=np.concatenate([e.changed, np.full(count, NEVER)]),
            after=after,
            school=np.concatenate([e.school, classes.school]),
        )

    def _demographic(self, number: int, modified: int, *, disadvantaged: bool) -> bytes:
        people = self.people
        race = int(people.race[number])
        born = day_date(int(self.year.first) - 365 * (5 + int(people.grade[number])) - int(people.number[number]) % 365)
        return record(
            people.student_id(number), modified,
            metadata={
                "economicDisadvantage": truth(disadvantaged),
                "disability": truth(bool(people.has_disability[number])),
                "englishLearner": truth(bool(people.is_english_learner[number])),
            },
            birthDate=born.isoformat(), sex=SEXES[people.sex[number]],
            **{field: truth(race == position) for position, field in enumerate(_RACE_FIELDS[: len(RACES)])},
        )  # fmt: skip

    @cached_property
    def demographics(self) -> Records:
        people, rows = self.people, np.arange(self.people.count)
        born = self._student_births()
        becomes = (people.disadvantaged_from > self.year.first) & (people.disadvantaged_from < NEVER)
        gone = people.is_leaver & (people.exit_kind != ENDED)
        # Whoever leaves takes the record along, or leaves it as it is; a change of circumstances is shown.
        changes_on = np.where(gone, people.leaves_on + 1, np.where(becomes, people.disadvantaged_from, NEVER))
        changed = np.where(changes_on < NEVER, at_night(self.year, np.minimum(changes_on, NEVER), rows), NEVER)
        before = [
            self._demographic(i, born[i], disadvantaged=bool(people.is_disadvantaged[i])) for i in range(people.count)
        ]
        after = {
            i: self._demographic(i, changed[i], disadvantaged=True) for i in np.flatnonzero(becomes & ~gone).tolist()
        }
        return Records(_ids(before), before, born, changed=changed, after=after, school=people.school)

    @cached_property
    def categories(self) -> Records:
        return self._fixed([record(key, self._loaded, title=title, weight=weight) for key, title, weight in CATEGORIES])

    @cached_property
    def line_items(self) -> Records:
        items, classes, year = self.district.outcomes.items, self.people.classes, self.year
        rows, schools = [], classes.school[items.class_]
        assigned = np.maximum(items.due_on - 5, year.first)
        born = at_night(year, assigned, np.arange(len(assigned)))
        due_at = year.midnight(items.due_on) + DAY_MS - 1000
        windows = tuple(ASSESSMENT_WINDOWS)
        columns = (items.class_, items.number, items.category, items.window)
        for i, (class_, number, category, window) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            subject = SUBJECTS[classes.subject[class_]]
            is_test = category == ASSESSMENT
            title = f"{CATEGORIES[category][1]} {number + 1}"
            if is_test:
                title = f"Northstar Growth, {subject}, {windows[window]}"
            rows.append(
                record(
                    item_id(i), born[i],
                    title=title, assignDate=stamp(born[i]), dueDate=stamp(due_at[i]),
                    class_=class_ref(class_),
                    school=school_ref(self.people.schools[schools[i]].sourced_id),
                    category=ref("category", CATEGORIES[category][0], "categories"),
                    resultValueMin=100.0 if is_test else 0.0, resultValueMax=350.0 if is_test else 100.0,
                )
            )  # fmt: skip
        return Records(_ids(rows), rows, born, school=schools)

    @cached_property
    def results(self) -> Records:
        r, people = self.district.outcomes.results, self.people
        names = [people.student_id(i) for i in range(people.count)]
        columns = [c.tolist() for c in (r.item, r.student, r.class_, r.score, r.is_missing)] + [stamps(r.born)]
        rows = []
        for i, (item, student, class_, score, missing, born) in enumerate(zip(*columns, strict=True)):
            rows.append(
                record(
                    f"RES-{i + 1:08d}", born,
                    lineItem=ref("lineItem", item_id(item)), class_=class_ref(class_),
                    student=ref("user", names[student]),
                    scoreStatus="not submitted" if missing else "fully graded", score=None if missing else score,
                    scoreDate=born[:10],
                )
            )  # fmt: skip
        return Records(_ids(rows), rows, r.born, school=people.classes.school[r.class_])
