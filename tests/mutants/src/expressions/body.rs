//! Where the body of a function begins.

/// The place of the brace that opens the body of a function, in bytes, and whether the function is `const`. The text
/// begins with the function's documentation or attributes, and ends with its last brace.
#[must_use]
pub fn opening(function: &str) -> Option<(usize, bool)> {
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
                let constant = function[..at].lines().any(is_const);
                return Some((at, constant));
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

fn is_const(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//") && format!(" {code}").contains(" const fn ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_begins_after_documentation_attributes_and_signature() {
        let function =
            "/// A {brace}.\n#[expect(a, reason = \"{ ( \\\" \")]\nfn f(a: [u8; 2]) -> u8 { a[0] }";
        let (at, constant) = opening(function).expect("it has a body");
        assert_eq!(&function[at..], "{ a[0] }");
        assert!(!constant);
    }

    #[test]
    fn a_const_function_is_known_by_its_signature_alone() {
        let is = |function| opening(function).map(|(_, constant)| constant);
        assert_eq!(is("/// A const fn x.\npub fn f() {}"), Some(false));
        assert_eq!(is("pub(crate) const fn f() {}"), Some(true));
        assert_eq!(is("const fn f() {}"), Some(true));
    }
}
