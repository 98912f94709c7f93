//! Writes Go's character classes in the syntax of the crate `regex`; it does not know where in an expression they stand.

use std::fmt::Write as _;

/// The class that no character belongs to.
const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";
/// The class that every character belongs to.
const EVERYTHING: &str = r"[\x{0}-\x{10FFFF}]";
/// Go's tables are those of Unicode 15.0; characters that came later have no property there.
const KNOWN_TO_GO: &str = r"\p{age=15.0}";

/// Whether a class holds the listed characters or all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Polarity {
    Listed,
    Others,
}

impl Polarity {
    pub(super) fn flipped(self) -> Self {
        match self {
            Polarity::Listed => Polarity::Others,
            Polarity::Others => Polarity::Listed,
        }
    }

    fn opening(self) -> &'static str {
        match self {
            Polarity::Listed => "[",
            Polarity::Others => "[^",
        }
    }
}

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Insensitive,
}

impl Case {
    /// One unit of translated text so that it matches in this case.
    pub(super) fn wrap(self, unit: String) -> String {
        match self {
            Case::Sensitive => unit,
            Case::Insensitive => format!("(?i:{unit})"),
        }
    }
}

/// A character class that grows item by item.
#[derive(Debug, Default)]
pub(super) struct Class {
    items: String,
}

impl Class {
    /// Adds the code points from `low` to `high`. Surrogates, which Go allows to name, are in no valid text.
    pub(super) fn add_range(&mut self, low: u32, high: u32) {
        self.add_valid_range(low, high.min(0xD7FF));
        self.add_valid_range(low.max(0xE000), high);
    }

    fn add_valid_range(&mut self, low: u32, high: u32) {
        if low == high {
            push_code_point(low, &mut self.items);
        } else if low < high {
            push_code_point(low, &mut self.items);
            self.items.push('-');
            push_code_point(high, &mut self.items);
        }
    }

    /// Adds a Perl class such as `\d`, named by its letter; `None` if there is none of that letter.
    pub(super) fn add_perl(&mut self, letter: char) -> Option<()> {
        let polarity = if letter.is_ascii_uppercase() {
            Polarity::Others
        } else {
            Polarity::Listed
        };
        let items = match letter.to_ascii_lowercase() {
            'd' => r"0-9",
            's' => r"\x{9}\x{A}\x{C}\x{D}\x{20}",
            'w' => r"0-9A-Z\x{5F}a-z",
            _ => return None,
        };
        self.add_nested(polarity, items);
        Some(())
    }

    /// Adds a POSIX class, named by what stands between `[:` and `:]`.
    pub(super) fn add_posix(&mut self, name: &str) -> Option<()> {
        let (polarity, name) = match name.strip_prefix('^') {
            Some(name) => (Polarity::Others, name),
            None => (Polarity::Listed, name),
        };
        let items = match name {
            "alnum" => r"0-9A-Za-z",
            "alpha" => r"A-Za-z",
            "ascii" => r"\x{0}-\x{7F}",
            "blank" => r"\x{9}\x{20}",
            "cntrl" => r"\x{0}-\x{1F}\x{7F}",
            "digit" => r"0-9",
            "graph" => r"\x{21}-\x{7E}",
            "lower" => r"a-z",
            "print" => r"\x{20}-\x{7E}",
            "punct" => r"\x{21}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{60}\x{7B}-\x{7E}",
            "space" => r"\x{9}-\x{D}\x{20}",
            "upper" => r"A-Z",
            "word" => r"0-9A-Z\x{5F}a-z",
            "xdigit" => r"0-9A-Fa-f",
            _ => return None,
        };
        self.add_nested(polarity, items);
        Some(())
    }

    /// Adds a Unicode class, named by a category, an alias of one, a script, or `Any`, `Assigned`, `ASCII`.
    pub(super) fn add_unicode(&mut self, polarity: Polarity, name: &str) -> Option<()> {
        let name = canonical_name(name);
        match name.as_str() {
            "Any" => self.add_whole(polarity, EVERYTHING),
            "Ascii" => self.add_nested(polarity, r"\x{0}-\x{7F}"),
            "Assigned" => self.add_category(polarity.flipped(), "Cn"),
            "Lc" => self.add_category(polarity, "LC"),
            other if SCRIPTS.contains(&other) => {
                self.add_nested(polarity, &format!(r"\p{{sc={other}}}&&{KNOWN_TO_GO}"));
            }
            other => {
                let known = CATEGORIES.contains(&other).then_some(other);
                let alias = || {
                    CATEGORY_ALIASES
                        .iter()
                        .find(|(alias, _)| *alias == other)
                        .map(|(_, category)| *category)
                };
                self.add_category(polarity, known.or_else(alias)?);
            }
        }
        Some(())
    }

    fn add_category(&mut self, polarity: Polarity, category: &str) {
        match category {
            "Cs" => self.add_whole(polarity, NOTHING),
            "C" | "Cn" => self.add_nested(polarity, &format!(r"\p{{gc={category}}}\P{{age=15.0}}")),
            _ => self.add_nested(polarity, &format!(r"\p{{gc={category}}}&&{KNOWN_TO_GO}")),
        }
    }

    fn add_nested(&mut self, polarity: Polarity, items: &str) {
        self.items.push_str(polarity.opening());
        self.items.push_str(items);
        self.items.push(']');
    }

    fn add_whole(&mut self, polarity: Polarity, whole: &str) {
        let everything = (whole == EVERYTHING) == (polarity == Polarity::Listed);
        self.items.push_str(if everything { EVERYTHING } else { NOTHING });
    }

    /// The class as one unit of the translated expression.
    pub(super) fn finish(self, polarity: Polarity) -> String {
        match polarity {
            Polarity::Listed if self.items.is_empty() => NOTHING.to_owned(),
            Polarity::Others if self.items.is_empty() => EVERYTHING.to_owned(),
            _ => format!("{}{}]", polarity.opening(), self.items),
        }
    }
}

/// One code point as a unit of the translated expression.
pub(super) fn single(code_point: u32) -> String {
    let mut class = Class::default();
    class.add_range(code_point, code_point);
    match class.items.is_empty() {
        true => NOTHING.to_owned(),
        false => class.items,
    }
}

/// Letters and digits stand for themselves; all else is spelled as a number, so nothing needs to be escaped.
fn push_code_point(code_point: u32, output: &mut String) {
    match char::from_u32(code_point) {
        Some(letter) if letter.is_ascii_alphanumeric() => output.push(letter),
        // Writing to a String cannot fail.
        _ => drop(write!(output, r"\x{{{code_point:X}}}")),
    }
}

/// Go's spelling of a class name: no spaces, underscores and hyphens, the first letter upper case, the rest lower.
fn canonical_name(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for letter in name.chars().filter(|letter| !matches!(letter, '_' | '-' | ' ')) {
        canonical.push(match canonical.is_empty() {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        });
    }
    canonical
}

/// The general categories under their short names.
#[rustfmt::skip]
const CATEGORIES: [&str; 37] = [
    "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No",
    "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// The long names of categories in canonical spelling.
#[rustfmt::skip]
const CATEGORY_ALIASES: [(&str, &str); 42] = [
    ("Casedletter", "LC"), ("Closepunctuation", "Pe"), ("Cntrl", "Cc"), ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"), ("Control", "Cc"), ("Currencysymbol", "Sc"), ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"), ("Digit", "Nd"), ("Enclosingmark", "Me"), ("Finalpunctuation", "Pf"), ("Format", "Cf"),
    ("Initialpunctuation", "Pi"), ("Letter", "L"), ("Letternumber", "Nl"), ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"), ("Mark", "M"), ("Mathsymbol", "Sm"), ("Modifierletter", "Lm"), ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"), ("Number", "N"), ("Openpunctuation", "Ps"), ("Other", "C"), ("Otherletter", "Lo"),
    ("Othernumber", "No"), ("Otherpunctuation", "Po"), ("Othersymbol", "So"), ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"), ("Punct", "P"), ("Punctuation", "P"), ("Separator", "Z"), ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"), ("Surrogate", "Cs"), ("Symbol", "S"), ("Titlecaseletter", "Lt"), ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
];

/// The scripts of Unicode 15.0 whose name is one word. Go looks up the canonical spelling, so it never finds a script
/// such as `Old_Italic`, and neither do we.
#[rustfmt::skip]
const SCRIPTS: [&str; 117] = [
    "Adlam", "Ahom", "Arabic", "Armenian", "Avestan", "Balinese", "Bamum", "Batak", "Bengali", "Bhaiksuki", "Bopomofo",
    "Brahmi", "Braille", "Buginese", "Buhid", "Carian", "Chakma", "Cham", "Cherokee", "Chorasmian", "Common", "Coptic",
    "Cuneiform", "Cypriot", "Cyrillic", "Deseret", "Devanagari", "Dogra", "Duployan", "Elbasan", "Elymaic", "Ethiopic",
    "Georgian", "Glagolitic", "Gothic", "Grantha", "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hanunoo",
    "Hatran", "Hebrew", "Hiragana", "Inherited", "Javanese", "Kaithi", "Kannada", "Katakana", "Kawi", "Kharoshthi",
    "Khmer", "Khojki", "Khudawadi", "Lao", "Latin", "Lepcha", "Limbu", "Lisu", "Lycian", "Lydian", "Mahajani",
    "Makasar", "Malayalam", "Mandaic", "Manichaean", "Marchen", "Medefaidrin", "Miao", "Modi", "Mongolian", "Mro",
    "Multani", "Myanmar", "Nabataean", "Nandinagari", "Newa", "Nko", "Nushu", "Ogham", "Oriya", "Osage", "Osmanya",
    "Palmyrene", "Phoenician", "Rejang", "Runic", "Samaritan", "Saurashtra", "Sharada", "Shavian", "Siddham", "Sinhala",
    "Sogdian", "Soyombo", "Sundanese", "Syriac", "Tagalog", "Tagbanwa", "Takri", "Tamil", "Tangsa", "Tangut", "Telugu",
    "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto", "Ugaritic", "Vai", "Vithkuqi", "Wancho", "Yezidi", "Yi",
];
