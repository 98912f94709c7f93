//! Names the functions of the language: <https://expr-lang.org/docs/language-definition>. What each does is in the file of
//! what it works on.

mod conversion;
mod list;
mod number;
mod predicate;
mod string;

use std::sync::Arc;

use super::evaluate::Evaluation;
use super::syntax::Node;
use super::value::{List, Map, Value};
use super::{Budget, ExpressionError};

/// A function of the language.
#[derive(Clone, Copy)]
pub(super) struct Builtin(&'static Entry);

struct Entry {
    name: &'static str,
    least: usize,
    most: usize,
    run: Run,
}

/// What a function does with its arguments.
#[derive(Clone, Copy)]
enum Run {
    /// It takes their values.
    Plain(fn(&[Value], &mut Budget) -> Outcome),
    /// It takes a list, a predicate that is asked for each element, and maybe one more value.
    Each(fn(&Elements<'_>, Option<Value>, &mut Evaluation<'_>) -> Outcome),
    /// It is not offered, and why.
    Refused(&'static str),
}

type Outcome = Result<Value, ExpressionError>;

/// What a predicate is asked of.
struct Elements<'a> {
    list: Arc<List>,
    predicate: Option<&'a Node>,
}

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    Value,
    Predicate,
}

const fn plain(name: &'static str, least: usize, most: usize, run: fn(&[Value], &mut Budget) -> Outcome) -> Entry {
    let run = Run::Plain(run);
    Entry { name, least, most, run }
}

const fn each(
    name: &'static str,
    least: usize,
    most: usize,
    run: fn(&Elements<'_>, Option<Value>, &mut Evaluation<'_>) -> Outcome,
) -> Entry {
    let run = Run::Each(run);
    Entry { name, least, most, run }
}

const fn refused(name: &'static str) -> Entry {
    let run = Run::Refused("times and durations are not offered");
    let (least, most) = (0, ANY);
    Entry { name, least, most, run }
}

/// As many arguments as a source can hold.
const ANY: usize = super::MAX_SOURCE_BYTES;

static FUNCTIONS: [Entry; 71] = [
    each("all", 2, 2, predicate::all),
    each("none", 2, 2, predicate::none),
    each("any", 2, 2, predicate::any),
    each("one", 2, 2, predicate::one),
    each("filter", 2, 2, predicate::filter),
    each("map", 2, 2, predicate::map),
    each("count", 1, 2, predicate::count),
    each("sum", 1, 2, predicate::sum),
    each("find", 2, 2, predicate::find),
    each("findIndex", 2, 2, predicate::find_index),
    each("findLast", 2, 2, predicate::find_last),
    each("findLastIndex", 2, 2, predicate::find_last_index),
    each("groupBy", 2, 2, predicate::group_by),
    each("sortBy", 2, 3, predicate::sort_by),
    each("reduce", 2, 3, predicate::reduce),
    plain("len", 1, 1, conversion::len),
    plain("type", 1, 1, conversion::kind),
    plain("int", 1, 1, conversion::int),
    plain("float", 1, 1, conversion::float),
    plain("string", 1, 1, conversion::string),
    plain("toJSON", 1, 1, conversion::to_json),
    plain("fromJSON", 1, 1, conversion::from_json),
    plain("toBase64", 1, 1, conversion::to_base64),
    plain("fromBase64", 1, 1, conversion::from_base64),
    plain("toPairs", 1, 1, conversion::to_pairs),
    plain("fromPairs", 1, 1, conversion::from_pairs),
    plain("keys", 1, 1, conversion::keys),
    plain("values", 1, 1, conversion::values),
    plain("get", 2, 2, conversion::get),
    plain("trim", 1, 2, string::trim),
    plain("trimPrefix", 1, 2, string::trim_prefix),
    plain("trimSuffix", 1, 2, string::trim_suffix),
    plain("upper", 1, 1, string::upper),
    plain("lower", 1, 1, string::lower),
    plain("split", 2, 3, string::split),
    plain("splitAfter", 2, 3, string::split_after),
    plain("replace", 3, 4, string::replace),
    plain("repeat", 2, 2, string::repeat),
    plain("indexOf", 2, 2, string::index_of),
    plain("lastIndexOf", 2, 2, string::last_index_of),
    plain("hasPrefix", 2, 2, string::has_prefix),
    plain("hasSuffix", 2, 2, string::has_suffix),
    plain("join", 1, 2, string::join),
    plain("first", 1, 1, list::first),
    plain("last", 1, 1, list::last),
    plain("take", 2, 2, list::take),
    plain("reverse", 1, 1, list::reverse),
    plain("uniq", 1, 1, list::uniq),
    plain("concat", 1, ANY, list::concat),
    plain("flatten", 1, 1, list::flatten),
    plain("sort", 1, 2, list::sort),
    plain("abs", 1, 1, number::abs),
    plain("ceil", 1, 1, number::ceil),
    plain("floor", 1, 1, number::floor),
    plain("round", 1, 1, number::round),
    plain("max", 1, ANY, number::max),
    plain("min", 1, ANY, number::min),
    plain("mean", 1, ANY, number::mean),
    plain("median", 1, ANY, number::median),
    plain("bitand", 2, 2, number::bitand),
    plain("bitor", 2, 2, number::bitor),
    plain("bitxor", 2, 2, number::bitxor),
    plain("bitnand", 2, 2, number::bitnand),
    plain("bitnot", 1, 1, number::bitnot),
    plain("bitshl", 2, 2, number::bitshl),
    plain("bitshr", 2, 2, number::bitshr),
    plain("bitushr", 2, 2, number::bitushr),
    refused("now"),
    refused("date"),
    refused("duration"),
    refused("timezone"),
];

impl Builtin {
    /// The function of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|entry| entry.name == name).map(Self)
    }

    /// What the argument at a place is.
    pub(super) fn argument(self, at: usize) -> Argument {
        match self.0.run {
            Run::Each(_) if at == 1 => Argument::Predicate,
            _ => Argument::Value,
        }
    }

    /// Whether it goes with so many arguments, or why not.
    pub(super) fn accepts(self, arguments: usize) -> Result<(), String> {
        let Entry { name, least, most, .. } = self.0;
        if let Run::Refused(why) = self.0.run {
            return Err(format!("{name}: {why}"));
        }
        if (*least..=*most).contains(&arguments) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (least, most) if least == most => least.to_string(),
            (least, &ANY) => format!("{least} or more"),
            _ => format!("{least} or {most}"),
        };
        Err(format!("{name} takes {wanted} arguments, not {arguments}"))
    }

    /// Its value.
    pub(super) fn call(self, arguments: &[Node], evaluation: &mut Evaluation<'_>) -> Outcome {
        match self.0.run {
            Run::Plain(run) => {
                let values: Result<Vec<Value>, _> = arguments.iter().map(|node| evaluation.value(node)).collect();
                run(&values?, evaluation.budget).map_err(|error| self.named_in(error))
            }
            Run::Each(run) => {
                let list = match arguments.first() {
                    Some(first) => evaluation.value(first)?,
                    None => Value::Nil,
                };
                let Value::List(list) = list else {
                    return Err(self.named_in(ExpressionError::failed(format!("{} is no list", list.kind()))));
                };
                let further = arguments.get(2).map(|node| evaluation.value(node)).transpose()?;
                let predicate = arguments.get(1);
                run(&Elements { list, predicate }, further, evaluation)
            }
            Run::Refused(why) => Err(self.named_in(ExpressionError::failed(why))),
        }
    }

    fn named_in(self, error: ExpressionError) -> ExpressionError {
        match error {
            ExpressionError::Failed(problem) => ExpressionError::Failed(format!("{}: {problem}", self.0.name)),
            other => other,
        }
    }
}

/// That an argument is not what it should be.
fn wrong(value: &Value, wanted: &str) -> ExpressionError {
    ExpressionError::failed(format!("{} is no {wanted}", value.kind()))
}

fn argument(arguments: &[Value], at: usize) -> &Value {
    arguments.get(at).unwrap_or(&Value::Nil)
}

fn text(arguments: &[Value], at: usize) -> Result<&str, ExpressionError> {
    let value = argument(arguments, at);
    value.as_text().ok_or_else(|| wrong(value, "string"))
}

fn whole(arguments: &[Value], at: usize) -> Result<i64, ExpressionError> {
    match argument(arguments, at) {
        Value::Int(number) => Ok(*number),
        // What comes from a body is a float, whatever it means.
        Value::Float(number) if number.fract() == 0.0 => Ok(*number as i64),
        other => Err(wrong(other, "whole number")),
    }
}

fn items(arguments: &[Value], at: usize) -> Result<&[Value], ExpressionError> {
    match argument(arguments, at) {
        Value::List(list) => Ok(list.items()),
        other => Err(wrong(other, "list")),
    }
}

fn entries(arguments: &[Value], at: usize) -> Result<&Map, ExpressionError> {
    match argument(arguments, at) {
        Value::Map(map) => Ok(map),
        other => Err(wrong(other, "map")),
    }
}
