//! Where the body of a function begins.

/// Places in the text of a function, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The brace that opens the body.
    pub brace: usize,
    /// The word `const` before `fn`, if it is there.
    pub constant: Option<usize>,
}

/// Where the body of a function begins. The text begins with the function's documentation or attributes, and ends with its
/// last brace.
#[must_use]
pub fn opening(function: &str) -> Option<Opening> {
    let bytes = function.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => {
                at += function[at..].find('\n')?;
            }
            b'"' => at = after_string(bytes, at)?,
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b'{' if depth == 0 => {
                let constant = constant(&function[..at]);
                return Some(Opening {
                    brace: at,
                    constant,
                });
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place of the quote that ends the string that begins here.
fn after_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while *bytes.get(at)? != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some(at)
}

fn constant(signature: &str) -> Option<usize> {
    let mut start = 0;
    for line in signature.split_inclusive('\n') {
        let comment = line.trim_start().starts_with("//");
        let word = line.find("const fn ").filter(|at| {
            let before = line[..*at].chars().next_back();
            before.is_none_or(char::is_whitespace)
        });
        if let Some(at) = word.filter(|_| !comment) {
            return Some(start + at);
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_begins_after_documentation_attributes_and_signature() {
        let function =
            "/// A {brace}.\n#[expect(a, reason = \"{ ( \\\" \")]\nfn f(a: [u8; 2]) -> u8 { a[0] }";
        let found = opening(function).expect("it has a body");
        assert_eq!(&function[found.brace..], "{ a[0] }");
        assert_eq!(found.constant, None);
    }

    #[test]
    fn a_const_function_is_known_by_its_signature_alone() {
        let at = |function| opening(function).and_then(|found| found.constant);
        assert_eq!(at("/// A const fn x.\npub fn f() {}"), None);
        assert_eq!(at("/// A.\npub(crate) const fn f() {}"), Some(18));
        assert_eq!(at("const fn f() {}"), Some(0));
    }
}
