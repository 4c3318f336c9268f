"""Regression adjustment: nobody was assigned, nobody is left out; covariates carry all that makes the arms alike."""

from __future__ import annotations

from uptake.evidence.data import Sample
from uptake.evidence.designs.common import DesignResult, finished, opinion, regress
from uptake.evidence.designs.matched import overlap
from uptake.evidence.matching import propensity_logit
from uptake.evidence.plan import StudyPlan


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    compared = sample.take(sample.is_compared)
    logit = propensity_logit(compared.t, compared.x, compared.block) if compared.x.shape[1] else None
    return finished(
        plan,
        sample,
        regress(sample),
        second_opinions=(opinion("without covariates", regress(sample, adjusted=False), sample),),
        overlap=None if logit is None else overlap(compared.t, logit),
    )
