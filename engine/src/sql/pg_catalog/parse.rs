//! What PostgreSQL's clients write, turned into what DataFusion understands.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall, FixArrayLiteral,
    FixVersionColumnName, RemoveSubqueryFromProjection, ResolveUnqualifiedIdentifier,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, RewriteRegCastToSubquery, SqlStatementRewriteRule,
    StripCallableQualifier, StripCollate,
};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Ident, ObjectName, Select, Statement, TableFactor, Value,
    VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};

use super::super::guard::{MAX_SQL_DEPTH, describes_tables};
use super::tables::is_of_catalog;
use super::{PG_CATALOG, arrays, empty};

type Rules = Vec<Box<dyn SqlStatementRewriteRule>>;

/// What means the same in every statement.
static ALWAYS: LazyLock<Rules> = LazyLock::new(|| {
    vec![
        Box::new(AliasDuplicatedProjectionRewrite),
        Box::new(RewriteArrayAnyAllOperation),
        Box::new(StripCallableQualifier),
        Box::new(FixArrayLiteral),
        Box::new(CurrentUserVariableToSessionUserFunctionCall),
        Box::new(StripCollate),
        Box::new(RewritePgCatalogOperator),
        Box::new(RewriteRegCastToSubquery::new()),
        Box::new(FixVersionColumnName),
    ]
});

/// What may leave out something, so that only statements about the catalog are turned so.
static ABOUT_CATALOG: LazyLock<Rules> =
    LazyLock::new(|| vec![Box::new(ResolveUnqualifiedIdentifier), Box::new(RemoveSubqueryFromProjection)]);

/// The statements of a text.
///
/// # Errors
/// When it cannot be parsed.
pub(in super::super) fn parse(text: &str) -> Result<Vec<Statement>, ParserError> {
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(MAX_SQL_DEPTH)
        .try_with_sql(text)?
        .parse_statements()?;
    Ok(statements.into_iter().map(understood).collect())
}

fn understood(mut statement: Statement) -> Statement {
    let _visited = statement.visit(&mut Names::default());
    if describes_tables(&statement) {
        empty::leave_out(&mut statement);
    }
    let statement = ALWAYS.iter().fold(statement, |statement, rule| rule.rewrite(statement));
    if !describes_tables(&statement) {
        return statement;
    }
    let mut statement = ABOUT_CATALOG.iter().fold(statement, |statement, rule| rule.rewrite(statement));
    arrays::aggregate(&mut statement);
    statement
}

/// Names that PostgreSQL finds in its catalog without being told to look there.
#[derive(Default)]
struct Names {
    /// Tables of the catalog that the statements around are over, and what they are called there.
    around: Vec<Vec<(String, String)>>,
}

impl Names {
    /// The table of the catalog that is called so.
    fn table(&self, alias: &str) -> Option<&str> {
        let mut tables = self.around.iter().rev().flatten();
        tables.find(|(known, _)| known == alias).map(|(_, table)| table.as_str())
    }
}

/// A table of the catalog with what it is called.
fn called(table: &TableFactor) -> Option<(String, String)> {
    let TableFactor::Table { name, alias, args: None, .. } = table else { return None };
    let name = name.0.last()?.as_ident()?.value.clone();
    let alias = alias.as_ref().map_or_else(|| name.clone(), |alias| alias.name.value.clone());
    is_of_catalog(&name).then_some((alias, name))
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let tables = select.from.iter().flat_map(|from| {
            let joined = from.joins.iter().map(|join| &join.relation);
            std::iter::once(&from.relation).chain(joined)
        });
        self.around.push(tables.filter_map(called).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _select: &mut Select) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = table
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && is_of_catalog(&ident.value)
        {
            *name = ObjectName::from(vec![Ident::new(PG_CATALOG), ident.clone()]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            // 'pg_class'::regclass
            Expr::Cast { expr: of, data_type, .. } if is_named(data_type, "regclass") => {
                if let Some(text) = text_of(of).filter(|text| is_of_catalog(text)) {
                    **of = Expr::value(Value::SingleQuotedString(format!("{PG_CATALOG}.{text}")));
                }
            }
            // relnamespace = 'public' means the number of the schema.
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
                if is_namespace(left) && text_of(right).is_some_and(|text| text.parse::<i64>().is_err()) =>
            {
                **right = cast((**right).clone(), "regnamespace");
            }
            // Columns of functions hold their names: typinput = 'pg_catalog.array_in'::regproc
            Expr::BinaryOp { op: BinaryOperator::Eq, right, .. } => {
                if let Expr::Cast { expr: of, data_type, .. } = &**right
                    && is_named(data_type, "regproc")
                    && let Some(text) = text_of(of)
                {
                    let name = text.rsplit('.').next().unwrap_or(text).to_owned();
                    **right = Expr::value(Value::SingleQuotedString(name));
                }
            }
            // The table that a row is of.
            Expr::CompoundIdentifier(names) => {
                if let [alias, column] = names.as_slice()
                    && column.value == "tableoid"
                    && let Some(table) = self.table(&alias.value)
                {
                    let name = Value::SingleQuotedString(format!("{PG_CATALOG}.{table}"));
                    *expr = cast(Expr::value(name), "regclass");
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The text of a literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether PostgreSQL's type is called so.
fn is_named(data_type: &DataType, expected: &str) -> bool {
    let name = data_type.to_string().to_ascii_lowercase();
    name.strip_prefix("pg_catalog.").unwrap_or(&name) == expected
}

fn cast(expr: Expr, data_type: &str) -> Expr {
    let data_type = DataType::Custom(ObjectName::from(vec![Ident::new(data_type)]), Vec::new());
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Whether a column holds numbers of schemas, as PostgreSQL calls such columns.
fn is_namespace(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    name.is_some_and(|name| ["relnamespace", "typnamespace", "pronamespace"].contains(&name.value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        let statements = parse(text).expect(text);
        statements.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn statements_about_rows_keep_what_they_say() {
        for text in [
            "SELECT (SELECT max(b.body) FROM logs AS b WHERE b.uuid = a.uuid) FROM logs AS a",
            "SELECT a.* FROM logs AS a JOIN (SELECT 1 AS n) AS b ON true WHERE n = 1 ORDER BY n",
            "SELECT ARRAY(SELECT 1) AS a",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn the_catalog_is_found_without_its_name() {
        assert_eq!(parsed("SELECT relname FROM pg_class"), "SELECT relname FROM pg_catalog.pg_class");
        assert_eq!(parsed("SELECT indexname FROM pg_indexes"), "SELECT indexname FROM pg_catalog.pg_indexes");
        assert_eq!(parsed("SELECT 1 FROM pg_mine"), "SELECT 1 FROM pg_mine");
        let looked_up = parsed("SELECT oid FROM pg_class WHERE relnamespace = 'public'");
        assert!(looked_up.contains("pg_namespace WHERE nspname = 'public'"), "{looked_up}");
        let looked_up =
            parsed("SELECT relname FROM pg_class c JOIN pg_description d ON d.classoid = c.tableoid");
        assert!(looked_up.contains("'pg_catalog.pg_class'"), "{looked_up}");
        let compared = parsed("SELECT oid FROM pg_type WHERE typinput = 'pg_catalog.array_in'::regproc");
        assert_eq!(compared, "SELECT oid FROM pg_catalog.pg_type WHERE typinput = 'array_in'");
        let looked_up = parsed("SELECT 'pg_class'::regclass");
        assert!(looked_up.contains("'pg_catalog.pg_class'"), "{looked_up}");
    }
}
