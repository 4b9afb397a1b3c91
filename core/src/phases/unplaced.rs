//! A phase that this version cannot place: a newer version's word, or a terminal one that a hand wrote without the
//! completion time that would make it so. It counts as in progress, bounded by the overall deadline: never a guess.

use crate::draft::{Draft, Trouble, Verdict};
use crate::rule::Rule;

pub(crate) fn decide(draft: &mut Draft<'_>) -> Verdict {
    draft.rule = Rule::UnknownPhase;
    let word = draft
        .status
        .phase
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    draft.trouble = Some(Trouble {
        reason: "UnknownPhase",
        message: format!(
            "status.phase is `{}`, which this version cannot place; nothing is done before it is corrected or the overall deadline passes",
            crate::text::clean(&word, 64)
        ),
    });
    Verdict::Wait
}
