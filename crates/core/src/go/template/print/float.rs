//! The verbs of floating-point numbers: `%v %g %G %e %E %f %F`.

use super::Printer;

/// More digits than any number has behind its point; those that follow are zeros.
const MOST_DIGITS: usize = 1100;

impl Printer {
    /// Writes the number; whether it has this verb.
    pub(super) fn float(&mut self, number: f64, verb: char) -> bool {
        if matches!(verb, 'b' | 'x' | 'X') || (self.flags.sharp && "gGeEfF".contains(verb)) {
            self.unsupported("a floating-point number with this verb");
            return true;
        }
        let precision = self.flags.precision;
        if !self.fits(precision.unwrap_or(0)) {
            return true;
        }
        let shown = match verb {
            'v' | 'g' => general(number, precision),
            'G' => general(number, precision).to_uppercase(),
            'e' => exponential(number, Some(precision.unwrap_or(6))),
            'E' => exponential(number, Some(precision.unwrap_or(6))).to_uppercase(),
            'f' | 'F' => fixed(number, precision.unwrap_or(6)),
            _ => return false,
        };
        self.signed_float(&shown);
        true
    }

    /// Zeros stand between the sign and the digits.
    fn signed_float(&mut self, shown: &str) {
        let (sign, digits) = match shown.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None if self.flags.plus => ("+", shown),
            None if self.flags.space => (" ", shown),
            None => ("", shown),
        };
        let length = sign.len() + digits.len();
        match self.flags.width {
            Some(width) if self.flags.zero && !self.flags.minus && width > length => {
                self.write(sign.as_bytes());
                self.padding(width - length);
                self.write(digits.as_bytes());
            }
            _ => self.padded(format!("{sign}{digits}").as_bytes()),
        }
    }
}

fn fixed(number: f64, precision: usize) -> String {
    let digits = precision.min(MOST_DIGITS);
    format!("{number:.digits$}") + &"0".repeat(precision - digits)
}

/// With an exponent of at least two digits, and as many digits as are asked for, or as are needed.
fn exponential(number: f64, precision: Option<usize>) -> String {
    let digits = precision.map_or(0, |precision| precision.min(MOST_DIGITS));
    let shown = match precision {
        Some(_) => format!("{number:.digits$e}"),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
    let zeros = "0".repeat(precision.unwrap_or(0) - digits);
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{mantissa}{zeros}e{sign}{exponent:0>2}")
}

/// The shorter of both: with an exponent where the number is very large or very small. Zeros at the end are left out.
fn general(number: f64, precision: Option<usize>) -> String {
    let asked = precision.map(|precision| precision.max(1));
    let shown = exponential(number, asked.map(|digits| (digits - 1).min(MOST_DIGITS)));
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "+00"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    let digits = mantissa.chars().filter(char::is_ascii_digit).count();
    let before_point = usize::try_from(exponent + 1).unwrap_or(0);
    let limit = match asked {
        None => 6,
        Some(asked) if asked > digits && digits >= before_point => digits,
        Some(asked) => asked,
    };
    let limit = i32::try_from(limit).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= limit {
        let (_, exponent) = shown.split_once('e').unwrap_or((&shown, "+00"));
        return format!("{mantissa}e{exponent}");
    }
    let behind_point = i32::try_from(digits).unwrap_or(i32::MAX) - exponent - 1;
    match usize::try_from(behind_point) {
        Ok(behind_point) => fixed(number, behind_point),
        // Zeros stand for the digits that were not asked for.
        Err(_) => {
            let sign = if number.is_sign_negative() { "-" } else { "" };
            let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
            format!("{sign}{digits:0<before_point$}")
        }
    }
}
