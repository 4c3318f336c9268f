"""What is asked of Moodle, and what is made of its answers, with the quirks that its code has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from asked_district import AskedDistrict
from scripted_vendor import Asked, Reply, Vendor

from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError, PermanentError, TransientError, UptakeError
from uptake.sources.moodle import RESOURCES, Moodle, MoodleSettings

NOW = datetime(2026, 4, 14, 18, 0, tzinfo=UTC)
FULL = Window.between("full", None, NOW)
SERVER = "/learn/webservice/rest/server.php"
SITE = {"id": 1, "fullname": "Lakeside Learns", "idnumber": ""}


class Site:
    """Answers each function as it is told, from the body of the request; `asked` keeps (function, arguments)."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.forms: list[dict[str, str]] = []
        self.answers: dict[str, Callable[[dict[str, str]], Any]] = {"core_course_get_courses": lambda _: [SITE]}
        vendor.on(SERVER, self._answer)

    def on(self, function: str, answer: Any) -> None:
        self.answers[function] = answer if callable(answer) else lambda _: answer

    def courses(self, *ids: int) -> None:
        self.on("core_course_get_courses", [SITE, *({"id": course, "visible": 1} for course in ids)])

    def members(self, people: dict[int, list[dict[str, Any]]], hidden: tuple[int, ...] = (), clamp: int = 500) -> None:
        """`hidden` people are counted by the limits, and not sent. `clamp`: no more than so many, whatever is asked."""

        def answer(asked: dict[str, str]) -> Any:
            options = _options(asked)
            start, number = int(options["limitfrom"]), min(int(options["limitnumber"]), clamp)
            page = people[int(asked["courseid"])][start : start + number]
            return [person for person in page if person["id"] not in hidden]

        self.on("core_enrol_get_enrolled_users", answer)

    def _answer(self, asked: Asked) -> Reply:
        form = {name: values[0] for name, values in parse_qs(asked.body).items()}
        self.forms.append(form)
        function = form.pop("wsfunction")
        self.asked.append((function, form))
        return Reply(self.answers[function](form))


def _options(asked: dict[str, str]) -> dict[str, str]:
    numbers = range(sum(name.endswith("[name]") for name in asked))
    return {asked[f"options[{number}][name]"]: asked[f"options[{number}][value]"] for number in numbers}


@pytest.fixture
def site(vendor: Vendor) -> Site:
    return Site(vendor)


def source(site: Site, **options: Any) -> Moodle:
    """`at_once` stays 1 where the order of questions is looked at."""
    values = {"name": "lms", "kind": "moodle", "connection": "demo_moodle", "url": f"{site.vendor.url}/learn"}
    values |= {"at_once": 1}
    return Moodle(MoodleSettings.model_validate(values | options), Credential("", "tok-1"))


def batches(moodle: Moodle, name: str) -> list[Batch]:
    with moodle:
        found = list(moodle.pull(RESOURCES[name], FULL))
    assert [reject for batch in found for reject in batch.rejects] == []
    assert [batch.unknown for batch in found if batch.unknown] == []
    return found


def rows(moodle: Moodle, name: str) -> list[dict[str, Any]]:
    return [row for batch in batches(moodle, name) for row in batch.table.to_pylist()]


def refused(code: Any) -> dict[str, Any]:
    told = "Kim Carter (kim@lakeside.example) is not allowed"
    return {"exception": "moodle_exception", "errorcode": code, "message": told, "debuginfo": told}


def test_the_token_is_in_the_body_and_the_front_page_is_no_course(site: Site) -> None:
    course = {"id": 7, "idnumber": "C7", "fullname": "Algebra", "visible": 0, "startdate": 1_767_225_600, "enddate": 0}
    site.on("core_course_get_courses", [SITE, course])
    (row,) = rows(source(site), "courses")
    assert (row["id"], row["idnumber"], row["visible"], row["enddate"]) == (7, "C7", False, None)
    assert row["startdate"] == datetime(2026, 1, 1, tzinfo=UTC)
    (asked,) = site.vendor.asked
    assert asked.params == {} and "tok-1" in asked.body and "authorization" not in asked.headers


def test_people_are_read_once_and_the_guest_is_none(site: Site) -> None:
    kim = {"id": 20, "username": "kim@lakeside.example", "idnumber": "s20", "email": "kim@x", "fullname": "Kim C."}
    lee = {"id": 21, "username": "lee", "fullname": "Lee", "firstaccess": 0, "lastaccess": 1_767_225_600}
    site.courses(7, 8)
    site.members({7: [{"id": 1, "fullname": "Guest"}, kim], 8: [kim, lee]})
    first, second = rows(source(site), "users")
    assert (first["id"], first["idnumber"], first["username_email"]) == ("20", "s20", "kim@lakeside.example")
    assert (second["id"], second["username_email"], second["firstaccess"]) == ("21", None, None)
    assert second["lastaccess"].year == 2026
    fields = {_options(form)["userfields"] for function, form in site.asked if "enrolled" in function}
    assert fields == {"id,username,idnumber,email,firstaccess,lastaccess"}, "nothing is sent that nobody needs"


def test_a_page_that_the_rights_made_short_is_not_the_end(site: Site) -> None:
    site.courses(7)
    people = [{"id": number, "fullname": "x", "roles": [], "lastcourseaccess": 0} for number in range(10, 17)]
    site.members({7: people}, hidden=(11, 14))
    found = rows(source(site, page_size=2), "enrollments")
    assert [row["user_id"] for row in found] == ["10", "12", "13", "15", "16"]
    assert {_options(form)["limitnumber"] for _, form in site.asked[1:]} == {"2"}


def test_a_server_that_gives_less_than_was_asked_loses_nobody(site: Site) -> None:
    site.courses(7)
    site.members({7: [{"id": number, "fullname": "x"} for number in range(10, 17)]}, clamp=3)
    assert len(rows(source(site), "users")) == 7


def test_courses_side_by_side_give_what_one_after_the_other_does(site: Site) -> None:
    site.courses(*range(2, 30))
    people = {course: [{"id": course * 10 + n, "fullname": "x"} for n in range(3)] for course in range(2, 30)}
    site.members({course: each if course == 2 else [*each, *people[2]] for course, each in people.items()})
    for name in ("users", "enrollments"):
        alone = rows(source(site), name)
        assert rows(source(site, at_once=6), name) == alone
        assert len(alone) == (84 if name == "users" else 165)


def test_roles_and_last_access_of_an_enrolment(site: Site) -> None:
    roles = [{"roleid": 5, "name": "", "shortname": "student", "sortorder": 0}]
    site.courses(7)
    site.members({7: [{"id": 20, "fullname": "Kim", "roles": roles, "lastcourseaccess": 1_767_225_600}]})
    (row,) = rows(source(site), "enrollments")
    assert (row["course_id"], row["user_id"], row["roles"]) == (7, "20", ["student"])
    assert row["lastcourseaccess"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_old_version_is_asked_without_the_last_access(site: Site) -> None:
    def answer(asked: dict[str, str]) -> Any:
        options = _options(asked)
        if "lastcourseaccess" in options["userfields"]:
            return refused("invaliduserfield")
        return [{"id": 20, "fullname": "Kim", "roles": []}] if options["limitfrom"] == "0" else []

    site.courses(7, 8)
    site.on("core_enrol_get_enrolled_users", answer)
    assert [row["course_id"] for row in rows(source(site), "enrollments")] == [7, 8]
    refusals = sum("lastcourseaccess" in str(form) for _, form in site.asked)
    assert refusals == 1, "it is tried once"


def test_no_grade_has_three_spellings_and_a_total_says_that_it_is_one(site: Site) -> None:
    site.courses(7)
    base = {"itemtype": "mod", "itemmodule": "quiz", "iteminstance": 4, "grademin": 0, "grademax": 10}
    items = [
        base
        | {"id": 1, "itemname": "Quiz", "graderaw": 7.5, "gradedategraded": 1_767_225_600, "feedback": "Well done"},
        base | {"id": 2, "graderaw": None, "gradeformatted": "-", "gradedategraded": None},
        base | {"id": 3, "graderaw": ""},
        base | {"id": 4},
        {"id": 5, "itemtype": "course", "itemname": None, "iteminstance": 7, "graderaw": 7.5, "grademax": 40},
    ]
    person = {"courseid": 7, "userid": 20, "userfullname": "Kim C.", "maxdepth": 2, "gradeitems": items}
    guest = {"userid": 1, "gradeitems": [base | {"id": 1, "graderaw": 1}]}
    site.on("gradereport_user_get_grade_items", {"usergrades": [guest, person], "warnings": []})
    found = rows(source(site), "grades")
    assert [(row["item_id"], row["graderaw"]) for row in found] == [(1, 7.5), (2, None), (3, None), (4, None), (5, 7.5)]
    assert {(row["course_id"], row["user_id"]) for row in found} == {(7, "20")}
    assert [row["itemtype"] for row in found] == ["mod"] * 4 + ["course"]
    assert found[0]["gradedategraded"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_assignments_are_asked_for_many_courses_and_what_is_kept_back_is_told(site: Site) -> None:
    site.courses(*range(2, 62))

    def answer(asked: dict[str, str]) -> Any:
        ids = [int(value) for name, value in asked.items() if name.startswith("courseids")]
        courses = [
            {"id": course, "assignments": [{"id": course * 10, "course": course, "grade": 100}]} for course in ids
        ]
        return {"courses": courses, "warnings": [{"item": "course", "itemid": ids[0], "warningcode": "1"}]}

    site.on("mod_assign_get_assignments", answer)
    found = batches(source(site), "assignments")
    assert sum(batch.pulled for batch in found) == 60
    assert [len([n for n in form if n.startswith("courseids")]) for _, form in site.asked[1:]] == [50, 10]
    assert all(form["includenotenrolledcourses"] == "1" for _, form in site.asked[1:])
    assert found[-1].note == "Moodle kept back the assignments of 2 courses or activities from the token's user."


def test_a_course_that_was_deleted_meanwhile_costs_itself_only(site: Site) -> None:
    site.courses(7, 8)
    answers = {"7": refused("invalidrecord"), "8": {"usergrades": [], "warnings": []}}
    site.on("gradereport_user_get_grade_items", lambda asked: answers[asked["courseid"]])
    assert [batch.note for batch in batches(source(site), "grades")] == [
        "1 courses were gone when they were asked for."
    ]


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("invalidtoken", PermanentError, "mend connection 'demo_moodle': its token"),
        ("invalidtimedtoken", PermanentError, "mend connection 'demo_moodle': its token"),
        ("invalidiptoken", PermanentError, "mend connection 'demo_moodle': its token"),
        ("wsaccessusersuspended", PermanentError, "mend connection 'demo_moodle': its token"),
        ("accessexception", PermanentError, "add core_course_get_courses to the token's external service"),
        ("nopermissions", PermanentError, "add core_course_get_courses to the token's external service"),
        ("sitemaintenance", TransientError, "nothing at once"),
        ("brandnew", PermanentError, "ask the Moodle administrator"),
        (None, PermanentError, "ask the Moodle administrator"),
        ("kim@lakeside.example", PermanentError, "ask the Moodle administrator"),
    ],
)
def test_an_error_comes_with_status_200(
    site: Site, waits: list[float], code: Any, kind: type[UptakeError], remedy: str
) -> None:
    site.on("core_course_get_courses", refused(code))
    with pytest.raises(kind) as caught:
        rows(source(site, retry_seconds=1), "courses")
    assert caught.value.remedy.startswith(remedy)
    assert "Kim" not in str(caught.value) and "lakeside.example" not in str(caught.value)
    assert (len(site.asked) > 1) == (kind is TransientError), "maintenance is waited for"


def test_maintenance_that_ends_within_the_patience_is_no_error(site: Site, waits: list[float]) -> None:
    site.vendor.once(SERVER, Reply(refused("sitemaintenance")), Reply(b"<html>upgrade</html>"))
    site.courses(7)
    assert [row["id"] for row in rows(source(site), "courses")] == [7]
    assert len(waits) == 2


@pytest.mark.parametrize("answer", [None, {"courses": []}, "x"])
def test_an_answer_of_another_shape_is_said(site: Site, answer: Any) -> None:
    site.on("core_course_get_courses", answer)
    with pytest.raises(ContractError, match="core_course_get_courses holds no list"):
        rows(source(site), "courses")


def test_rows_of_another_shape_are_rejects_each(site: Site) -> None:
    site.courses(7, 8)
    people = [{"id": 20, "fullname": "Kim"}, {"id": ["x"]}, {"id": None}, {"id": None}, "nobody"]
    site.on("core_enrol_get_enrolled_users", lambda asked: people if _options(asked)["limitfrom"] == "0" else [])
    with source(site) as moodle:
        (batch,) = moodle.pull(RESOURCES["users"], FULL)
    assert [row["id"] for row in batch.table.to_pylist()] == ["20"]
    reasons = ["missing_key"] * 2 + ["not_string", "unreadable"]
    assert sorted(reject.reason for reject in batch.rejects) == sorted(reasons * 2), "of each of the two courses"


def test_a_probe_says_the_version_and_a_redirect_is_not_followed_with_the_token(site: Site) -> None:
    site.on("core_webservice_get_site_info", {"release": "5.0.2 (Build: 20250811)", "fullname": "Kim Carter"})
    with source(site) as moodle:
        assert "version 5.0.2" in moodle.probe() and "Kim" not in moodle.probe()
        site.vendor.once(SERVER, Reply(status=301, headers={"Location": "https://learn.example/server.php"}))
        with pytest.raises(PermanentError, match="is redirected") as caught:
            moodle.probe()
    assert "with https" in caught.value.remedy


def test_a_probe_names_the_functions_that_the_service_lacks(site: Site) -> None:
    functions = ["core_webservice_get_site_info", "core_course_get_courses", "mod_assign_get_assignments"]
    site.on("core_webservice_get_site_info", {"functions": [{"name": name, "version": "1"} for name in functions]})
    with source(site) as moodle, pytest.raises(PermanentError) as caught:
        moodle.probe()
    assert "has no core_enrol_get_enrolled_users, gradereport_user_get_grade_items" in caught.value.message
    functions += ["core_enrol_get_enrolled_users", "gradereport_user_get_grade_items"]
    site.on("core_webservice_get_site_info", {"functions": [{"name": name, "version": "1"} for name in functions]})
    with source(site) as moodle:
        assert "version unknown" in moodle.probe()


def test_a_connection_without_token_is_a_matter_of_configuration(site: Site) -> None:
    settings = MoodleSettings.model_validate(
        {"name": "lms", "kind": "moodle", "connection": "c", "url": site.vendor.url}
    )
    with pytest.raises(ConfigError, match="has no token"):
        Moodle(settings, Credential("id", ""))


def test_what_lands_has_no_name_and_who_left_a_course_is_gone(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    site.courses(7, 8)
    kim = {
        "id": 20,
        "username": "zlind",
        "idnumber": "s20",
        "email": "ZL@school.example",
        "fullname": "Zoelle Lindqvist",
    }
    lee = {"id": 21, "fullname": "Lee Lindqvist", "roles": [{"shortname": "student"}]}
    others = [{"id": number, "fullname": "x"} for number in range(30, 40)]
    site.members({7: [kim, lee, *others], 8: [kim]})
    item = {"id": 1, "itemtype": "mod", "graderaw": 7, "grademax": 10, "feedback": "Zoelle, see me"}
    site.on(
        "gradereport_user_get_grade_items", {"usergrades": [{"userid": 20, "gradeitems": [item, {"itemtype": "mod"}]}]}
    )
    site.on("mod_assign_get_assignments", {"courses": [], "warnings": []})
    options = {"kind": "moodle", "url": f"{site.vendor.url}/learn"}
    district = AskedDistrict(tmp_path, monkeypatch, ("", "tok-1"), **options)
    first = district.pull()
    assert {name: (of.pulled, of.landed, of.quarantined) for name, of in first.items()} == {
        "courses": (2, 2, 0),
        "users": (12, 12, 0),
        "enrollments": (13, 13, 0),
        "assignments": (0, 0, 0),
        "grades": (4, 2, 2),
    }
    kept = district.bytes_at_rest()
    assert not [word for word in (b"Lindqvist", b"school.example", b"see me", b"tok-1") if word in kept]
    (zoe,) = (row for row in district.landed("users") if row["idnumber"])
    assert zoe["id"] == district.pseudonym("moodle_user", "sis:20"), "another Moodle has a 20 of its own"
    assert {zoe["id"]} <= {row["user_id"] for row in district.landed("grades")}
    assert zoe["idnumber"] == district.pseudonym("sis_user", "s20")
    assert zoe["email"] == district.pseudonym("email", "zl@school.example")

    site.members({7: [kim, *others], 8: []})
    district.later(days=1)
    again = district.pull(resources=["enrollments"])["enrollments"]
    assert (again.landed, again.deleted) == (11, 1), "a course that is empty now is not believed to have lost everyone"
