"""The part of the Ed-Fi data model that a roster, its programmes and its results need, as Uptake lands it.

Data standards 3 to 5 are alike here. Standard 6 takes what is known of a person beside the name into resources of their
own: studentDemographics, studentDirectories, staffDirectories. Model and documents: https://docs.ed-fi.org/reference/data-exchange/
(the OpenAPI of a server is at `/metadata/data/v3/resources/swagger.json`).

A record's key is the server's own `id`, which lasts through a change of its natural key. References stand as the values
of that natural key; a link beside them is not read. A descriptor is an address such as
`uri://ed-fi.org/GradeLevelDescriptor#Ninth grade`: what follows the `#` is kept.

Of a child only what is asked for lands: whether there is a disability and not which, of the characteristics only
economic disadvantage, of the addresses one that is a school's, work's or other and never the one at home.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pyarrow as pa

from uptake.config import Settings
from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.sources.windows import DAY

NAMESPACE = "edfi"

_ID = pa.int64()
_TEXTS = pa.list_(pa.string())
_CHARACTERISTICS = pa.list_(
    pa.struct([("characteristic", pa.string()), ("beginDate", pa.date32()), ("endDate", pa.date32())])
)
_SCORES = pa.list_(pa.struct([("method", pa.string()), ("result", pa.string()), ("datatype", pa.string())]))
_LEVELS = pa.list_(pa.struct([("method", pa.string()), ("level", pa.string())]))

# Everything else that may be said of a child here (homeless, migrant, in foster care) is not read.
CHARACTERISTICS = frozenset({"economic disadvantaged", "economically disadvantaged", "economic disadvantage"})
# Kinds of e-mail address, the one that a school's own systems know first. The one at home is nobody's account there.
_MAIL_KINDS = ("organization", "work", "other")


def term(descriptor: Any) -> str:
    """`uri://…/NameDescriptor#Word` -> `Word`; other text stays. Raises TypeError for what is no text."""
    if not isinstance(descriptor, str):
        raise TypeError("a descriptor is text")
    return descriptor.rpartition("#")[2].strip()


def _terms(descriptors: Any) -> list[str]:
    return [term(each) for each in descriptors if each is not None]


def guid(value: Any) -> str:
    """An id as it lands: change queries of some versions write it with dashes or capitals, the records without.

    Raises TypeError for what is no text."""
    if not isinstance(value, str):
        raise TypeError("an id is text")
    return value.replace("-", "").lower()


def _characteristics(value: Any) -> list[dict[str, Any]]:
    """Those of the allow-list, one for each period of theirs; one without dates where there is none."""
    found = []
    for each in value:
        name = term(each.get("studentCharacteristicDescriptor"))
        if name.lower() in CHARACTERISTICS:
            found += [
                {"characteristic": name, "beginDate": period.get("beginDate"), "endDate": period.get("endDate")}
                for period in each.get("periods") or [{}]
            ]
    return found


def _is_any(value: Any) -> bool:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return bool(value)


def _mail(value: Any) -> str | None:
    """The one address by which other systems know the person; None where there is only the one at home."""
    kinds = [term(each.get("electronicMailTypeDescriptor")).lower() for each in value]
    ranked = sorted(
        (_MAIL_KINDS.index(kind), not each.get("primaryEmailAddressIndicator"), place)
        for place, (kind, each) in enumerate(zip(kinds, value, strict=True))
        if kind in _MAIL_KINDS
    )
    return value[ranked[0][2]].get("electronicMailAddress") if ranked else None


def _scores(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "method": term(each.get("assessmentReportingMethodDescriptor")),
            "result": each.get("result"),
            "datatype": term(each.get("resultDatatypeTypeDescriptor")),
        }
        for each in value
    ]


def _levels(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "method": term(each.get("assessmentReportingMethodDescriptor")),
            "level": term(each.get("performanceLevelDescriptor")),
        }
        for each in value
    ]


def _term(name: str, **rules: Any) -> Field:
    """A descriptor, landed without the word."""
    return Field(name, path=f"{name}Descriptor", convert=term, **rules)


def _list(name: str, part: str) -> Field:
    """A list of objects that hold one descriptor each."""
    return Field(name, _TEXTS, path=f"{name}[].{part}Descriptor", convert=_terms)


def _date(name: str) -> Field:
    return Field(name, pa.date32())


def _of(reference: str, name: str, kind: pa.DataType = _ID, **rules: Any) -> Field:
    return Field(name, kind, path=f"{reference}.{name}", **rules)


def _student(reference: str = "studentReference") -> Field:
    return _of(reference, "studentUniqueId", pa.string(), identifier="sis_user", local_id=True, required=True)


def _staff() -> Field:
    return _of("staffReference", "staffUniqueId", pa.string(), identifier="sis_user", local_id=True, required=True)


def _offering(reference: str) -> tuple[Field, ...]:
    """The natural key of a course offering, which a section's own key begins with."""
    return (
        _of(reference, "localCourseCode", pa.string(), required=True),
        _of(reference, "schoolId", required=True),
        _of(reference, "schoolYear", required=True),
        _of(reference, "sessionName", pa.string(), required=True),
    )


def _section(reference: str) -> tuple[Field, ...]:
    return (*_offering(reference), _of(reference, "sectionIdentifier", pa.string(), required=True))


_EMAIL = Field("email", path="electronicMails", identifier="email", convert=_mail)
_LOGIN = Field("loginId", identifier="username")
_EDUCATION_ORGANIZATION = _of("educationOrganizationReference", "educationOrganizationId", required=True)
_DEMOGRAPHICS = (
    _term("sex"),
    Field("hispanicLatinoEthnicity", pa.bool_()),
    _list("races", "race"),
    _term("limitedEnglishProficiency"),
    Field("hasDisability", pa.bool_(), path="disabilities", convert=_is_any),
    Field("characteristics", _CHARACTERISTICS, path="studentCharacteristics", convert=_characteristics),
)
_CONTACTS = "addresses internationalAddresses telephones"
_ABOUT_A_PERSON = """ancestryEthnicOrigins citizenshipStatusDescriptor genderIdentity identificationDocuments languages
    supporterMilitaryConnectionDescriptor tribalAffiliations visas"""
_NAME_PARTS = """personReference generationCodeSuffix maidenName middleName otherNames personalIdentificationDocuments
    personalTitlePrefix preferredFirstName preferredLastSurname"""
_EDUCATION_ORGANIZATIONS = """addresses identificationCodes indicators institutionTelephones internationalAddresses
    shortNameOfInstitution webSite charterStatusDescriptor federalLocaleCodeDescriptor"""


def _resource(
    name: str,
    *fields: Field,
    ignored: str = "",
    delete_scope: tuple[str, ...] = (),
    person: str | None = None,
    doc: str,
) -> Resource:
    """An Ed-Fi record: its own fields after the two that every record has."""
    references = {field.path.split(".")[0] for field in fields if field.path and "Reference." in field.path}
    return Resource(
        name=name,
        fields=(
            Field("id", convert=guid),
            Field("lastModifiedDate", TIMESTAMP, path="_lastModifiedDate", doc="7 and later"),
            *fields,
        ),
        key=("id",),
        cursor=True,
        delete_scope=delete_scope,
        person=person,
        ignored=frozenset({"_etag", "_ext", *(f"{reference}.link" for reference in references), *ignored.split()}),
        doc=doc,
    )


# Parents before children.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        _resource(
            "localEducationAgencies",
            Field("localEducationAgencyId", _ID, required=True),
            Field("nameOfInstitution"),
            _term("operationalStatus"),
            ignored=f"""{_EDUCATION_ORGANIZATIONS} categories accountabilities federalFunds
                educationServiceCenterReference parentLocalEducationAgencyReference stateEducationAgencyReference
                localEducationAgencyCategoryDescriptor""",
            doc="Districts.",
        ),
        _resource(
            "schools",
            Field("schoolId", _ID, required=True),
            Field("nameOfInstitution"),
            _of("localEducationAgencyReference", "localEducationAgencyId"),
            _term("schoolType"),
            _term("operationalStatus"),
            _list("gradeLevels", "gradeLevel"),
            ignored=f"""{_EDUCATION_ORGANIZATIONS} charterApprovalSchoolYearTypeReference
                charterApprovalAgencyTypeDescriptor administrativeFundingControlDescriptor
                educationOrganizationCategories internetAccessDescriptor magnetSpecialProgramEmphasisSchoolDescriptor
                schoolCategories titleIPartASchoolDesignationDescriptor accreditationStatusDescriptor improvingSchool
                postSecondaryInstitutionReference""",
            doc="Schools.",
        ),
        _resource(
            "gradingPeriods",
            _of("schoolReference", "schoolId", required=True),
            _of("schoolYearTypeReference", "schoolYear", required=True),
            Field("gradingPeriodName", doc="standard 5 and later"),
            _term("gradingPeriod"),
            Field("periodSequence", _ID),
            _date("beginDate"),
            _date("endDate"),
            ignored="totalInstructionalDays",
            delete_scope=("schoolId",),
            doc="Grading periods of a school.",
        ),
        _resource(
            "sessions",
            _of("schoolReference", "schoolId", required=True),
            _of("schoolYearTypeReference", "schoolYear", required=True),
            Field("sessionName", required=True),
            _term("term"),
            _date("beginDate"),
            _date("endDate"),
            Field("totalInstructionalDays", _ID),
            ignored="academicWeeks gradingPeriods",
            delete_scope=("schoolId",),
            doc="Terms of a school.",
        ),
        _resource(
            "courses",
            Field("courseCode", required=True),
            _EDUCATION_ORGANIZATION,
            Field("courseTitle"),
            _list("academicSubjects", "academicSubject"),
            _term("academicSubject", doc="of standards 3 and 4, which know one for each course"),
            _list("offeredGradeLevels", "gradeLevel"),
            ignored="""identificationCodes careerPathwayDescriptor competencyLevels courseDefinedByDescriptor
                courseDescription courseGPAApplicabilityDescriptor dateCourseAdopted highSchoolCourseRequirement
                learningStandards learningObjectives levelCharacteristics maxCompletionsForCredit
                maximumAvailableCreditConversion maximumAvailableCredits maximumAvailableCreditTypeDescriptor
                minimumAvailableCreditConversion minimumAvailableCredits minimumAvailableCreditTypeDescriptor
                numberOfParts timeRequiredForCompletion""",
            doc="What is taught.",
        ),
        _resource(
            "courseOfferings",
            Field("localCourseCode", required=True),
            Field("localCourseTitle"),
            _of("courseReference", "courseCode", pa.string(), required=True),
            _of("courseReference", "educationOrganizationId", required=True),
            _of("schoolReference", "schoolId", required=True),
            _of("sessionReference", "schoolYear", required=True),
            _of("sessionReference", "sessionName", pa.string(), required=True),
            ignored="""sessionReference.schoolId courseLevelCharacteristics curriculumUseds instructionalTimePlanned
                offeredGradeLevels""",
            delete_scope=("schoolId",),
            doc="A course in a school and a term.",
        ),
        _resource(
            "sections",
            Field("sectionIdentifier", required=True),
            Field("sectionName"),
            *_offering("courseOfferingReference"),
            ignored="""locationReference locationSchoolReference availableCreditConversion availableCredits
                availableCreditTypeDescriptor characteristics classPeriods courseLevelCharacteristics
                educationalEnvironmentDescriptor instructionLanguageDescriptor mediumOfInstructionDescriptor
                offeredGradeLevels officialAttendancePeriod populationServedDescriptor programs sectionTypeDescriptor
                sequenceOfCourse""",
            delete_scope=("schoolId",),
            doc="Classes: a course offering that is taught to a group.",
        ),
        _resource(
            "students",
            Field("studentUniqueId", identifier="sis_user", local_id=True, required=True),
            Field("firstName", vault="given_name"),
            Field("lastSurname", vault="family_name"),
            Field("birthDate", pa.date32(), drop=True),
            person="studentUniqueId",
            ignored=f"""{_NAME_PARTS} birthCity birthCountryDescriptor birthInternationalProvince birthSexDescriptor
                birthStateAbbreviationDescriptor citizenshipStatusDescriptor dateEnteredUS identificationDocuments
                multipleBirthStatus visas""",
            doc="Students. Names go to the vault.",
        ),
        _resource(
            "staffs",
            Field("staffUniqueId", identifier="sis_user", local_id=True, required=True),
            Field("firstName", vault="given_name"),
            Field("lastSurname", vault="family_name"),
            Field("birthDate", pa.date32(), drop=True),
            _EMAIL,
            _LOGIN,
            person="staffUniqueId",
            ignored=f"""{_NAME_PARTS} {_CONTACTS} {_ABOUT_A_PERSON} credentials hispanicLatinoEthnicity races
                highestCompletedLevelOfEducationDescriptor highlyQualifiedTeacher identificationCodes recognitions
                sexDescriptor yearsOfPriorProfessionalExperience yearsOfPriorTeachingExperience
                openStaffPositionReference educatorPreparationPrograms educatorResearch
                highlyQualifiedAcademicSubjects""",
            doc="Staff. Names go to the vault; the e-mail address is here up to standard 5.",
        ),
        _resource(
            "staffDirectories",
            _staff(),
            _EDUCATION_ORGANIZATION,
            _EMAIL,
            ignored=_CONTACTS,
            delete_scope=("educationOrganizationId",),
            doc="E-mail addresses of staff, from standard 6 on.",
        ),
        _resource(
            "studentSchoolAssociations",
            _student(),
            _of("schoolReference", "schoolId", required=True),
            _of("schoolYearTypeReference", "schoolYear"),
            _date("entryDate"),
            _date("exitWithdrawDate"),
            _term("entryGradeLevel"),
            Field("primarySchool", pa.bool_()),
            ignored="""calendarReference classOfSchoolYearTypeReference graduationPlanReference nextYearSchoolReference
                alternativeGraduationPlans educationPlans employedWhileEnrolled enrollmentTypeDescriptor
                entryGradeLevelReasonDescriptor entryTypeDescriptor exitWithdrawTypeDescriptor fullTimeEquivalency
                nextYearGradeLevelDescriptor repeatGradeIndicator residencyStatusDescriptor schoolChoice
                schoolChoiceBasisDescriptor schoolChoiceTransfer termCompletionIndicator""",
            delete_scope=("schoolId",),
            doc="Who goes to which school in which grade, from when to when.",
        ),
        _resource(
            "studentEducationOrganizationAssociations",
            _student(),
            _EDUCATION_ORGANIZATION,
            _EMAIL,
            _LOGIN,
            *_DEMOGRAPHICS,
            ignored=f"""{_CONTACTS} {_ABOUT_A_PERSON} barrierToInternetAccessInResidenceDescriptor cohortYears
                displacedStudents internetAccessInResidence internetAccessTypeInResidenceDescriptor
                internetPerformanceInResidenceDescriptor primaryLearningDeviceAccessDescriptor
                primaryLearningDeviceAwayFromSchoolDescriptor primaryLearningDeviceProviderDescriptor profileThumbnail
                programParticipationDescriptors studentIdentificationCodes studentIndicators""",
            delete_scope=("educationOrganizationId",),
            doc="What a district or school knows of a student; the demographics are here up to standard 5.",
        ),
        _resource(
            "studentDemographics",
            _student(),
            _EDUCATION_ORGANIZATION,
            *_DEMOGRAPHICS,
            _term("economicDisadvantage"),
            ignored=_ABOUT_A_PERSON,
            delete_scope=("educationOrganizationId",),
            doc="Demographics of a student, from standard 6 on.",
        ),
        _resource(
            "studentDirectories",
            _student(),
            _EDUCATION_ORGANIZATION,
            _EMAIL,
            ignored=_CONTACTS,
            delete_scope=("educationOrganizationId",),
            doc="E-mail addresses of students, from standard 6 on.",
        ),
        _resource(
            "studentSectionAssociations",
            _student(),
            *_section("sectionReference"),
            _date("beginDate"),
            _date("endDate"),
            Field("homeroomIndicator", pa.bool_()),
            ignored="""attemptStatusDescriptor programs repeatIdentifierDescriptor teacherStudentDataLinkExclusion
                dualCreditEducationOrganizationReference dualCreditIndicator dualCreditInstitutionDescriptor
                dualCreditTypeDescriptor dualHighSchoolCreditIndicator""",
            delete_scope=("schoolId",),
            doc="Students of a class.",
        ),
        _resource(
            "studentSchoolAttendanceEvents",
            _student(),
            _of("schoolReference", "schoolId", required=True),
            Field("eventDate", pa.date32(), required=True),
            _term("attendanceEventCategory"),
            Field("eventDuration", pa.float64()),
            ignored="""sessionReference attendanceEventReason arrivalTime departureTime
                educationalEnvironmentDescriptor schoolAttendanceDuration""",
            delete_scope=("schoolId",),
            doc="Absences and other events of attendance, by day. The reason that was given is not read.",
        ),
        _resource(
            "staffSectionAssociations",
            _staff(),
            *_section("sectionReference"),
            _date("beginDate"),
            _date("endDate"),
            _term("classroomPosition"),
            ignored="highlyQualifiedTeacher percentageContribution teacherStudentDataLinkExclusion",
            delete_scope=("schoolId",),
            doc="Teachers of a class.",
        ),
        _resource(
            "grades",
            _student("studentSectionAssociationReference"),
            *_section("studentSectionAssociationReference"),
            _term("gradeType"),
            Field("gradingPeriod", path="gradingPeriodReference.gradingPeriodDescriptor", convert=term),
            Field("gradingPeriodName", path="gradingPeriodReference.gradingPeriodName"),
            Field("periodSequence", _ID, path="gradingPeriodReference.periodSequence"),
            Field("numericGradeEarned", pa.float64()),
            Field("letterGradeEarned"),
            ignored="""studentSectionAssociationReference.beginDate gradingPeriodReference.schoolId
                gradingPeriodReference.schoolYear currentGradeAsOfDate currentGradeIndicator diagnosticStatement
                gradeEarnedDescription learningStandardGrades performanceBaseConversionDescriptor""",
            delete_scope=("schoolId",),
            doc="Grades of a student in a class. What is written about the child is not read.",
        ),
        _resource(
            "studentAssessments",
            _student(),
            _of("assessmentReference", "assessmentIdentifier", pa.string(), required=True),
            _of("assessmentReference", "namespace", pa.string(), required=True),
            _of("schoolYearTypeReference", "schoolYear"),
            Field("administrationDate", TIMESTAMP),
            _term("whenAssessedGradeLevel"),
            Field("scores", _SCORES, path="scoreResults", convert=_scores),
            Field("performanceLevels", _LEVELS, convert=_levels),
            ignored="""studentAssessmentIdentifier accommodations administrationEndDate
                administrationEnvironmentDescriptor administrationLanguageDescriptor assessedGradeLevelDescriptor
                assessedMinutes eventCircumstanceDescriptor eventDescription indicators items period
                platformTypeDescriptor reasonNotTestedDescriptor reportedSchoolIdentifier reportedSchoolReference
                retestIndicatorDescriptor serialNumber studentObjectiveAssessments""",
            doc="Scores of a student in an assessment.",
        ),
    )
}
SINCE_STANDARD_6 = frozenset({"staffDirectories", "studentDemographics", "studentDirectories"})


class PeopleSettings(Settings):
    """ids: `shared` where a studentUniqueId is the district's own number, the same in every roster: the student is then
    one person with the one of that sourcedId; `own` where another system may give it to somebody else.

    staff_ids: `own` unless told that staff and students are numbered in one series: Ed-Fi numbers them apart, and a
    teacher 17 must not become the child 17. Changing either makes those whom it concerns new people.
    """

    ids: Literal["shared", "own"] = "shared"
    staff_ids: Literal["shared", "own"] = "own"


def resources_of(
    settings: PeopleSettings, name: str, *, standard: Literal[3, 4, 5, 6], changes: bool
) -> Mapping[str, Resource]:
    """The resources of a server, with the ids of the source `name` qualified where they are its own.

    changes: the server has change queries. Without them everything is read each day.
    """
    own = name if settings.ids == "own" else None
    staff = ":".join(part for part in (own, "staff" if settings.staff_ids == "own" else None) if part) or None
    found = {}
    for resource in RESOURCES.values():
        if resource.name in SINCE_STANDARD_6 and standard < 6:
            continue
        is_of_staff = any(field.name == "staffUniqueId" for field in resource.fields)
        found[resource.name] = replace(
            resource,
            qualifier=staff if is_of_staff else own,
            cursor=changes,
            full_sync_every=resource.full_sync_every if changes else DAY,
        )
    return found
