//! Parses pipelines: their names, commands and operands.

use super::{ParseError, Parser};
use crate::go::quote::quote;
use crate::go::template::function::Function;
use crate::go::template::item::{Item, Keyword, Kind};
use crate::go::template::node::{Command, Naming, Operand, OperandKind, Pipe};

impl<'s> Parser<'s> {
    /// A pipeline up to its end, which is passed.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, ParseError> {
        let (_, at) = self.peek_but_space();
        let mut pipe = Pipe {
            at,
            naming: Naming::New,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        while self.name(&mut pipe, context)? {}
        loop {
            let item = self.next_but_space();
            match item.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharacterConstant
                | Kind::Complex
                | Kind::Keyword(Keyword::Dot | Keyword::Nil)
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::RawText
                | Kind::QuotedText
                | Kind::Variable
                | Kind::LeftParenthesis => {
                    self.give_back(item);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.unexpected(&item, context)),
            }
        }
        self.check(&pipe, context)?;
        Ok(pipe)
    }

    /// Passes a name that the pipeline's value gets; whether another name can follow.
    fn name(&mut self, pipe: &mut Pipe, context: &str) -> Result<bool, ParseError> {
        let variable = self.next_but_space();
        if variable.kind != Kind::Variable {
            self.give_back(variable);
            return Ok(false);
        }
        let after = self.next();
        let spaced = after.kind == Kind::Space;
        let sign = if spaced { self.next_but_space() } else { after.clone() };
        let listed = sign.kind == Kind::Character && sign.text == ",";
        if !listed && !matches!(sign.kind, Kind::Assign | Kind::Declare) {
            // It is an argument. A space behind it ends it.
            self.give_back(sign);
            if spaced {
                self.give_back(after);
            }
            self.give_back(variable);
            return Ok(false);
        }
        pipe.variables.push(variable.text.clone().into_owned());
        self.scope.variables.push(variable.text.into_owned());
        if !listed {
            if sign.kind == Kind::Assign {
                pipe.naming = Naming::Known;
            }
            return Ok(false);
        }
        if context != "range" || pipe.variables.len() > 1 {
            return Err(self.error(format!("too many declarations in {context}")));
        }
        match self.peek_but_space().0 {
            Kind::Variable | Kind::RightDelimiter | Kind::RightParenthesis => Ok(true),
            _ => Err(self.error("range can only initialize variables")),
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), ParseError> {
        if pipe.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if is_literal(&command.first.kind) {
                let stage = index + 1;
                return Err(self.error(format!("non executable command in pipeline stage {stage}")));
            }
        }
        Ok(())
    }

    /// Operands with spaces between them, up to a `|`, which is passed, or an end, which is not.
    fn command(&mut self) -> Result<Command, ParseError> {
        let (_, at) = self.peek_but_space();
        let mut first = None;
        let mut arguments = Vec::new();
        loop {
            match (self.operand()?, &first) {
                (None, _) => {}
                (operand, None) => first = operand,
                (Some(operand), Some(_)) => arguments.push(operand),
            }
            let item = self.next();
            match item.kind {
                Kind::Space => continue,
                Kind::RightDelimiter | Kind::RightParenthesis => self.give_back(item),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(&item, "operand")),
            }
            break;
        }
        let first = first.ok_or_else(|| self.error("empty command"))?;
        Ok(Command { at, first, arguments })
    }

    /// A term and the fields behind it; nothing if no term comes next.
    fn operand(&mut self) -> Result<Option<Operand>, ParseError> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let (kind, at) = self.peek();
        if kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut more = Vec::new();
        while self.peek().0 == Kind::Field {
            more.push(field(&self.next()));
        }
        let kind = match term.kind {
            OperandKind::Field(mut fields) => {
                fields.append(&mut more);
                OperandKind::Field(fields)
            }
            OperandKind::Variable { name, mut fields } => {
                fields.append(&mut more);
                OperandKind::Variable { name, fields }
            }
            kind if is_literal(&kind) => {
                let shown = Operand { at, kind }.to_string();
                return Err(self.error(format!("unexpected . after term {}", quote(&shown))));
            }
            kind => OperandKind::Chain {
                of: Box::new(Operand { at: term.at, kind }),
                fields: more,
            },
        };
        Ok(Some(Operand { at, kind }))
    }

    fn term(&mut self) -> Result<Option<Operand>, ParseError> {
        let item = self.next_but_space();
        let at = item.at;
        let kind = match item.kind {
            Kind::Identifier => match Function::named(&item.text) {
                Some(function) => OperandKind::Function(function),
                None => return Err(self.error(format!("function {} not defined", quote(&item.text)))),
            },
            Kind::Keyword(Keyword::Dot) => OperandKind::Dot,
            Kind::Keyword(Keyword::Nil) => OperandKind::Nil,
            Kind::Variable => self.variable(&item)?,
            Kind::Field => OperandKind::Field(vec![field(&item)]),
            Kind::Bool => OperandKind::Bool(item.text == "true"),
            Kind::CharacterConstant | Kind::Complex | Kind::Number => OperandKind::Number {
                number: self.number(&item)?,
                text: item.text.into_owned(),
            },
            Kind::LeftParenthesis => {
                let pipe = self.deeper(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParenthesis))?;
                OperandKind::Pipe(Box::new(pipe))
            }
            Kind::QuotedText | Kind::RawText => OperandKind::Text {
                text: self.unquoted(&item)?,
                quoted: item.text.into_owned(),
            },
            _ => {
                self.give_back(item);
                return Ok(None);
            }
        };
        Ok(Some(Operand { at, kind }))
    }

    fn variable(&self, item: &Item<'_>) -> Result<OperandKind, ParseError> {
        match self.scope.variables.iter().any(|name| *name == item.text) {
            true => Ok(OperandKind::Variable {
                name: item.text.clone().into_owned(),
                fields: Vec::new(),
            }),
            false => Err(self.error(format!("undefined variable {}", quote(&item.text)))),
        }
    }
}

/// The name in `.Name`.
fn field(item: &Item<'_>) -> String {
    item.text.strip_prefix('.').unwrap_or(&item.text).to_owned()
}

/// What neither a value can be sent to nor fields can be asked of.
fn is_literal(kind: &OperandKind) -> bool {
    matches!(
        kind,
        OperandKind::Bool(_)
            | OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Number { .. }
            | OperandKind::Text { .. }
    )
}
