"""What the district's people do on the web: habits per tool, and the noise that a web filter sees besides.

Rates are probabilities of a session on a school day that is one of the tool's weekdays, by grade (KG is 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uptake.sandbox.truths import Truths

EDUCATION = ("Education",)
DAILY = (0, 1, 2, 3, 4)
LMS_HOST = "riverbend.canvas.example"
LTI_PATH = "/accounts/1/external_tools/52"


@dataclass(frozen=True)
class Habit:
    """`in_school` and `out_of_school`: {(first grade, last grade): rate}; `pages` may use {id}, {token} and {word}."""

    tool: str
    pages: tuple[str, ...]
    in_school: dict[tuple[int, int], float]
    out_of_school: dict[tuple[int, int], float]
    minutes: float
    weekdays: tuple[int, ...] = DAILY
    staff: float = 0.0
    steadiness: float = 0.35  # spread between people (sigma of a log-normal factor)
    categories: tuple[str, ...] = EDUCATION


def habits(truths: Truths) -> tuple[Habit, ...]:
    """In a fixed order, which is the order of the columns of every rate matrix."""
    steady = {(int(grade), int(grade)): 0.88 for grade in truths.consistent_in_two_grades.grades}
    return (
        # Rates of the two tools under study are those of the classes that have them; see usage.py.
        Habit("mathspring", ("https://mathspring.example/lesson/{id}", "https://app.mathspring.example/practice/{id}?attempt={token}"), {(3, 8): 0.6}, {(3, 8): 0.07}, 22, (0, 1, 3), 0.02),
        Habit("readwell", ("https://student.readwell.example/book/{id}/page/{id}", "https://readwell.example/shelf?student={token}"), {(3, 8): 0.5}, {(3, 8): 0.06}, 20, (1, 2, 4), 0.02),
        Habit("fractionforge", ("https://play.fractionforge.example/world/{id}", "https://play.fractionforge.example/forge?level={id}"), {(3, 8): 0.006} | steady, {(3, 8): 0.004}, 18, (1, 3), 0.01, 0.05),
        Habit("writebridge", ("https://suite.quillworks.example/write/draft/{token}", "https://suite.quillworks.example/write/review/{id}"), {(6, 12): 0.21}, {(6, 12): 0.10}, 19, DAILY, 0.03),
        Habit("citeright", ("https://suite.quillworks.example/cite/project/{id}", "https://suite.quillworks.example/cite/search?q={word}"), {(6, 12): 0.05}, {(6, 12): 0.02}, 9),
        Habit("labbench", ("https://labbench.example/lab/{id}/run", "https://labbench.example/lab/{id}/notebook"), {(6, 12): 0.22}, {(6, 12): 0.01}, 28, (1, 3), 0.02),
        Habit(truths.spreading_unapproved.tool, ("https://join.quizhive.example/play/{id}", "https://quizhive.example/host/{id}?class={token}"), {(2, 12): 1.0}, {}, 14, DAILY, 0.02, 0.0, ("Games", "Education")),
        Habit("phonicsfox", ("https://phonicsfox.example/den/{id}", "https://phonicsfox.example/sounds/{word}"), {(0, 2): 0.5}, {(0, 2): 0.05}, 15, (0, 2, 3, 4), 0.02),
        Habit("sciencesphere", ("https://sciencesphere.example/unit/{id}", "https://sciencesphere.example/video/{id}?t={id}"), {(3, 8): 0.22}, {(3, 8): 0.02}, 24, (2, 4), 0.02),
        Habit("codecrate", ("https://codecrate.example/course/{id}", "https://run.codecrate.example/sandbox/{token}"), {(6, 8): 0.05, (9, 12): 0.09}, {(6, 12): 0.02}, 30, (0, 2, 4), 0.01, 0.9, ("Education", "Software/Technology")),
        Habit("globetrail", ("https://globetrail.example/atlas/{word}", "https://globetrail.example/quest/{id}"), {(4, 8): 0.10}, {(4, 8): 0.005}, 16, (1, 4)),
        Habit("soundstave", ("https://soundstave.example/score/{id}",), {(0, 12): 0.02}, {(6, 12): 0.008}, 15, (2,), 0.01, 0.9),
        Habit("lingoleap", ("https://learn.lingoleap.example/path/{id}", "https://lingoleap.example/review?deck={id}"), {(9, 12): 0.2}, {(9, 12): 0.08}, 14, DAILY, 0.01, 0.5),
        Habit("palettely", ("https://palettely.example/canvas/{token}",), {(0, 12): 0.025}, {(3, 12): 0.008}, 17, (3, 4), 0.01, 0.8),
        Habit("assesspoint", ("https://test.assesspoint.example/session/{token}/item/{id}",), {(3, 8): 0.30}, {}, 42, DAILY, 0.02, 0.05),
        Habit("libraryloop", ("https://riverbend.libraryloop.example/search?q={word}", "https://riverbend.libraryloop.example/title/{id}"), {(0, 12): 0.02}, {}, 6, DAILY, 0.03),
        Habit("calmcorner", ("https://calmcorner.example/breathe/{id}",), {(0, 5): 0.06}, {}, 7, (0,), 0.04),
        Habit("keymaple", ("https://keymaple.example/lesson/{id}",), {(2, 5): 0.18}, {(2, 5): 0.01}, 15, (2, 4)),
        Habit("storycast", ("https://storycast.example/listen/{id}",), {(0, 5): 0.10}, {(0, 5): 0.01}, 16),
        Habit("pixelquest", ("https://pixelquest.example/play/{id}",), {(4, 12): 0.012}, {(4, 12): 0.01}, 12, DAILY, 0.0, 1.0, ("Games",)),
        Habit("canvas_lms", (f"https://{LMS_HOST}/courses/{{id}}/modules", f"https://{LMS_HOST}/courses/{{id}}/assignments/{{id}}", f"https://{LMS_HOST}/courses/{{id}}/quizzes/{{id}}?module_item_id={{id}}"), {(3, 5): 0.10, (6, 12): 0.27}, {(3, 5): 0.01, (6, 12): 0.08}, 10, DAILY, 0.5),
        Habit("google_docs", ("https://docs.google.com/document/d/{token}/edit?usp=sharing", "https://docs.google.com/presentation/d/{token}/edit", "https://docs.google.com/spreadsheets/d/{token}/edit#gid=0", "https://drive.google.com/drive/folders/{token}"), {(2, 5): 0.08, (6, 12): 0.20}, {(6, 12): 0.05}, 17, DAILY, 0.4, 0.35, ("Software/Technology",)),
        Habit("google_forms", ("https://docs.google.com/forms/d/e/{token}/viewform?usp=sf_link",), {(3, 12): 0.08}, {(6, 12): 0.005}, 7, DAILY, 0.08, 0.35, ("Software/Technology",)),
        Habit("youtube", ("https://www.youtube.com/watch?v={token}", "https://www.youtube.com/results?search_query={word}+{word}"), {(6, 12): 0.10}, {(6, 12): 0.08}, 13, DAILY, 0.2, 0.6, ("Streaming Video",)),
        Habit("wikipedia", ("https://en.wikipedia.org/wiki/{word}",), {(3, 12): 0.05}, {(6, 12): 0.02}, 6, DAILY, 0.03, 0.4, ("Reference",)),
        Habit(truths.spreading_unmatched.host, (f"https://{truths.spreading_unmatched.host}/chat/{{token}}", f"https://{truths.spreading_unmatched.host}/ask?q={{word}}+{{word}}"), {(6, 12): 0.12}, {(6, 12): 0.12}, 8, DAILY, 0.03, 0.5, ("Software/Technology",)),
    )  # fmt: skip


@dataclass(frozen=True)
class Noise:
    """Single requests. `mean`: a present student's number in a school day, by band (KG-5, 6-12)."""

    kind: str
    pages: tuple[str, ...]
    mean: tuple[float, float]
    categories: tuple[str, ...]
    verdict: str = "allowed"


NOISE = (
    Noise("background", ("https://updates.osvendor.example/check/{id}", "https://telemetry.osvendor.example/v2/batch", "https://clients4.browserco.example/generate_204"), (0.35, 0.45), ("Software Updates",)),
    Noise("cdn", ("https://cdn.mathspring.example/static/{token}.js", "https://static.edgecache.example/f/{token}.woff2", "https://img.edgecache.example/{token}.png"), (0.2, 0.25), ("Infrastructure and Content Delivery Networks",)),
    Noise("ads", ("https://ads.adreach.example/bid?slot={id}", "https://pixel.trackwell.example/p?u={token}"), (0.1, 0.15), ("Advertisements",)),
    Noise("search", ("https://www.google.com/search?q={word}+{word}&sourceid=chrome", "https://www.google.com/search?q=how+to+{word}"), (0.1, 0.35), ("Search Engines and Portals",)),
    Noise("social", ("https://www.chirrup.example/feed", "https://snapgram.example/u/{word}{id}", "https://www.clipclock.example/@{word}{id}/video/{id}"), (0.02, 0.2), ("Social Networking",)),
    Noise("blocked", ("https://snapgram.example/login", "https://unblocked-arcade.example/game/{word}", "https://proxyhop.example/go?u={token}", "https://betwise.example/odds/{id}"), (0.02, 0.1), ("Proxy/Anonymizer", "Games"), "blocked"),
    Noise("other", ("https://www.riverbendtimes.example/news/{id}", "https://recipes.hearth.example/{word}", "https://scores.localsports.example/{id}", "https://weather.northplains.example/today"), (0.08, 0.15), ("News/Media",)),
)  # fmt: skip

WORDS = """volcano photosynthesis fraction gerund treaty lattice glacier sonnet isotope monsoon citizen algebra osmosis compass
republic pendulum metaphor quartz habitat empire tangent rhythm estuary molecule frontier saga decimal orbit senate fossil
canyon pronoun voltage harvest dialect vector plankton senator eclipse ballad""".split()


@dataclass(frozen=True)
class Page:
    url: str
    domain: str
    is_dns: bool
    verdict: str
    categories: tuple[str, ...]


class PagePool:
    """Every page that the filter can see: `start[k]`, `size[k]` give the pages of habit or noise k."""

    def __init__(self, truths: Truths, share_dns: float = 0.12) -> None:
        rng = np.random.default_rng([truths.seed, 4])
        self.pages: list[Page] = []
        starts, sizes = [], []
        sources = [(h.pages, h.categories, "allowed") for h in habits(truths)]
        sources += [(n.pages, n.categories, n.verdict) for n in NOISE]
        for templates, categories, verdict in sources:
            starts.append(len(self.pages))
            for number in range(160):
                url = _fill(templates[number % len(templates)], rng)
                is_dns = bool(rng.random() < share_dns)
                self.pages.append(Page(url, url.split("/")[2], is_dns, verdict, categories))
            sizes.append(len(self.pages) - starts[-1])
        self.start, self.size = np.array(starts), np.array(sizes)


def _fill(template: str, rng: np.random.Generator) -> str:
    while "{" in template:
        name = template[template.index("{") + 1 : template.index("}")]
        if name == "id":
            value = str(rng.integers(100, 10_000_000))
        elif name == "token":
            value = rng.bytes(12).hex()
        else:
            value = WORDS[int(rng.integers(len(WORDS)))]
        template = template.replace("{" + name + "}", value, 1)
    return template
