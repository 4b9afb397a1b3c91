//! Text that others wrote, cleaned once before it reaches a status, a terminal, a log or a notification.
//!
//! Control and escape characters and bidirectional overrides become spaces, mentions that would page a
//! whole chat channel are disarmed, and the length is bounded.

/// The longest message in status, in characters.
pub const MESSAGE: usize = 512;
/// The longest message of a history entry, in characters.
pub const HISTORY_MESSAGE: usize = 128;
/// The longest reason, in characters.
pub const REASON: usize = 64;

/// The text without what could move a cursor, reorder a line or page a channel, in at most `limit`
/// characters; a cut is marked with `…`.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    if text.len() <= limit && is_clean(text) {
        return text.to_owned();
    }
    let cleaned = disarm_mentions(clean_characters(text, limit).trim_end());
    if cleaned.chars().count() <= limit {
        return cleaned;
    }
    cut(
        &cleaned,
        cleaned.char_indices().nth(limit.saturating_sub(1)),
    )
}

/// Nothing would be changed, as of most texts: words of printable ASCII between single spaces, and no mention.
fn is_clean(text: &str) -> bool {
    let mut after_space = true;
    for byte in text.bytes() {
        match byte {
            b' ' if after_space => return false,
            b'@' | b'<' => return false,
            b' '..=b'~' => after_space = byte == b' ',
            _ => return false,
        }
    }
    text.is_empty() || !after_space
}

/// The same in at most `limit` bytes of UTF-8.
#[must_use]
pub fn clean_bytes(text: &str, limit: usize) -> String {
    let cleaned = clean(text, limit);
    if cleaned.len() <= limit {
        return cleaned;
    }
    let last_that_fits = |(at, _): &(usize, char)| *at + '…'.len_utf8() <= limit;
    cut(&cleaned, cleaned.char_indices().rfind(last_that_fits))
}

/// The text up to this character, and the mark of a cut.
fn cut(text: &str, end: Option<(usize, char)>) -> String {
    let end = end.map_or(0, |(at, _)| at);
    format!("{}…", &text[..end])
}

fn clean_characters(text: &str, limit: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(4 * limit));
    for (taken, character) in text.chars().enumerate() {
        // Hidden characters cost a place each, so that a hostile megabyte is not read to its end.
        if taken > 8 * limit + 64 {
            cleaned.push('…');
            break;
        }
        if is_invisible(character) {
            continue;
        }
        let shown = if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            character
        };
        if shown == ' ' && (cleaned.is_empty() || cleaned.ends_with(' ')) {
            continue;
        }
        cleaned.push(shown);
    }
    cleaned
}

/// A machine-readable reason from what a child wrote: letters, digits and `_` only, else `fallback`.
#[must_use]
pub fn reason(text: &str, fallback: &str) -> String {
    let valid = text.chars().count() <= REASON
        && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if valid { text } else { fallback }.to_owned()
}

/// Zero-width characters, bidirectional controls and the byte order mark.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{061C}')
}

fn disarm_mentions(text: &str) -> String {
    if !text.contains(['@', '<']) {
        return text.to_owned();
    }
    text.replace("@channel", "@ channel")
        .replace("@here", "@ here")
        .replace("@everyone", "@ everyone")
        .replace("<!", "< !")
        .replace("<@", "< @")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_overrides_do_not_survive() {
        assert_eq!(clean("a\u{1b}[31mred\nb\0c", 99), "a [31mred b c");
        assert_eq!(clean("ab\u{202E}dc", 99), "abdc");
    }

    #[test]
    fn a_mention_pages_nobody() {
        assert_eq!(clean("hi @channel <!here>", 99), "hi @ channel < !here>");
    }

    #[test]
    fn long_text_is_cut_with_a_mark() {
        let cut = clean(&"x".repeat(1000), MESSAGE);
        assert_eq!(cut.chars().count(), MESSAGE);
        assert!(cut.ends_with('…'));
        assert_eq!(clean(&"x".repeat(MESSAGE), MESSAGE), "x".repeat(MESSAGE));
    }

    #[test]
    fn disarming_does_not_lengthen_beyond_the_limit() {
        let cut = clean(&"<@".repeat(400), MESSAGE);
        assert_eq!(cut.chars().count(), MESSAGE);
        assert!(cut.ends_with('…') && !cut.contains("<@"));
    }

    #[test]
    fn a_limit_in_bytes_holds_for_wide_characters() {
        let cut = clean_bytes(&"🔥".repeat(400), 1024);
        assert!(cut.len() <= 1024 && cut.ends_with("🔥…"));
        assert_eq!(clean_bytes("short", 1024), "short");
    }

    #[test]
    fn a_text_that_counts_as_clean_is_not_changed() {
        let letters = [
            ' ', 'a', '~', '@', '<', '!', '\n', '\u{7f}', 'é', '\u{200B}',
        ];
        let mut texts = vec![String::new()];
        let mut clean_ones = 0;
        for _ in 0..4 {
            texts = texts
                .iter()
                .flat_map(|text| letters.map(|letter| format!("{text}{letter}")))
                .chain(texts.clone())
                .collect();
        }
        for text in texts.iter().filter(|text| is_clean(text)) {
            clean_ones += 1;
            let slowly = disarm_mentions(clean_characters(text, 9).trim_end());
            assert_eq!(slowly, *text);
        }
        assert!(clean_ones > 100, "{clean_ones}");
    }

    #[test]
    fn a_reason_is_a_word_or_the_fallback() {
        assert_eq!(reason("EnrichmentError", "F"), "EnrichmentError");
        for bad in ["", "two words", "1st", &"x".repeat(65), "a\nb"] {
            assert_eq!(reason(bad, "ProcessingFailed"), "ProcessingFailed");
        }
    }

    #[test]
    fn spaces_are_joined_and_none_is_left_at_either_end() {
        assert_eq!(clean("  a\n\t b  ", 99), "a b");
    }

    #[test]
    fn hidden_characters_are_read_up_to_a_bound() {
        let hidden = |count: usize| "\u{200B}".repeat(count) + "x";
        assert_eq!(clean(&hidden(8 * 10 + 64), 10), "x");
        assert_eq!(clean(&hidden(8 * 10 + 65), 10), "…");
    }

    #[test]
    fn a_limit_in_bytes_is_used_to_its_end() {
        assert_eq!(clean_bytes(&"x".repeat(2000), 1024).len(), 1024);
    }
}
