"""The description of a database: what it consists of, independent of order, owners and oids."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s1ctl.canonical import canonical_json
from s1ctl.oci.digest import Digest

# A client that reads catalogs with this gets every name with its schema.
SETTINGS = "SET search_path = ''"

_OURS = """n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 's1ctl')"""
_FREE = """NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.deptype = 'e'
    AND d.objid = {0}.oid AND d.classid = '{1}'::regclass)"""
_TABLES = f"""pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {_OURS}
    AND {_FREE.format("c", "pg_class")}"""

# One row an object, one column of text: a JSON array of strings (kind, name, parts …).
DESCRIPTION = f"""
SELECT jsonb_build_array('schema', n.nspname)::text FROM pg_namespace n WHERE {_OURS}
UNION ALL
SELECT jsonb_build_array('extension', extname)::text FROM pg_extension
UNION ALL
SELECT jsonb_build_array('relation', n.nspname || '.' || c.relname, c.relkind, c.relpersistence,
    coalesce(pg_get_expr(c.relpartbound, c.oid), ''), coalesce(pg_get_partkeydef(c.oid), ''),
    c.relrowsecurity::text, (SELECT coalesce(string_agg(i.inhparent::regclass::text, ' '
        ORDER BY i.inhseqno), '') FROM pg_inherits i WHERE i.inhrelid = c.oid))::text
    FROM {_TABLES} WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
UNION ALL
SELECT jsonb_build_array('column', n.nspname || '.' || c.relname || '.' || a.attname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull::text, a.attidentity, a.attgenerated,
    coalesce(pg_get_expr(f.adbin, f.adrelid), ''), coalesce(l.collname, ''))::text
    FROM {_TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    WHERE c.relkind IN ('r', 'p', 'f', 'c')
UNION ALL
SELECT jsonb_build_array('view', n.nspname || '.' || c.relname, pg_get_viewdef(c.oid))::text
    FROM {_TABLES} WHERE c.relkind IN ('v', 'm')
UNION ALL
SELECT jsonb_build_array('constraint', n.nspname || '.' || c.relname || '.' || k.conname,
    k.contype, pg_get_constraintdef(k.oid))::text
    FROM {_TABLES} JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype <> 'n'
UNION ALL
SELECT jsonb_build_array('index', n.nspname || '.' || x.relname, pg_get_indexdef(x.oid))::text
    FROM {_TABLES} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indisvalid
UNION ALL
SELECT jsonb_build_array('trigger', n.nspname || '.' || c.relname || '.' || t.tgname, t.tgenabled,
    pg_get_triggerdef(t.oid))::text
    FROM {_TABLES} JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
UNION ALL
SELECT jsonb_build_array('rule', n.nspname || '.' || c.relname || '.' || r.rulename,
    pg_get_ruledef(r.oid))::text
    FROM {_TABLES} JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'
UNION ALL
SELECT jsonb_build_array('policy', n.nspname || '.' || c.relname || '.' || p.polname, p.polcmd,
    p.polpermissive::text, coalesce(pg_get_expr(p.polqual, p.polrelid), ''),
    coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''))::text
    FROM {_TABLES} JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT jsonb_build_array('sequence', n.nspname || '.' || c.relname, format_type(s.seqtypid, NULL),
    s.seqstart::text, s.seqincrement::text, s.seqmin::text, s.seqmax::text, s.seqcycle::text)::text
    FROM {_TABLES} JOIN pg_sequence s ON s.seqrelid = c.oid
UNION ALL
SELECT jsonb_build_array('function', n.nspname || '.' || p.proname || '('
    || pg_get_function_identity_arguments(p.oid) || ')', p.prokind, p.prosecdef::text,
    CASE WHEN p.prokind = 'a' THEN coalesce(pg_get_function_result(p.oid), '')
        ELSE pg_get_functiondef(p.oid) END)::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND {_OURS}
    AND {_FREE.format("p", "pg_proc")}
UNION ALL
SELECT jsonb_build_array('type', n.nspname || '.' || t.typname, t.typtype,
    (SELECT coalesce(string_agg(quote_literal(e.enumlabel), ' ' ORDER BY e.enumsortorder), '')
        FROM pg_enum e WHERE e.enumtypid = t.oid),
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE '' END,
    t.typnotnull::text, coalesce(t.typdefault, ''),
    (SELECT coalesce(string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ' '
        ORDER BY k.conname), '') FROM pg_constraint k WHERE k.contypid = t.oid))::text
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND {_OURS}
    AND {_FREE.format("t", "pg_type")} WHERE t.typtype IN ('d', 'e', 'r')
"""  # noqa: S608 - nothing from outside is in it

# One row a table that has rows of its own in a dump: its name, and what counts them.
COUNTS = f"""
SELECT n.nspname || '.' || c.relname,
    format('SELECT jsonb_build_array(''rows'', %L, count(*)::text)::text FROM ONLY %I.%I',
        n.nspname || '.' || c.relname, n.nspname, c.relname)
    FROM {_TABLES} WHERE c.relkind = 'r' ORDER BY 1
"""  # noqa: S608 - nothing from outside is in it

# Expressions are parsed anew by a restore, which moves casts and brackets about in them.
_PARSED = frozenset(
    {"relation", "column", "view", "constraint", "index", "trigger", "rule", "policy", "type"}
)
_CASTS = re.compile(r"::(?:character varying|bpchar|text|name)(?:\(\d+\))?(?:\[\])?")
_BRACKETS = re.compile(r"[()\s]+")

Part = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a database consists of: one part an object, sorted; the first two are kind and name."""

    parts: tuple[Part, ...]

    @property
    def fingerprint(self) -> Digest:
        """sha256 over the canonical JSON of the parts."""
        return Digest.of(canonical_json(self.parts))

    def difference(self, other: "Description") -> str | None:
        """Name the first object that is not in both alike; None where there is none."""
        different = set(self.parts) ^ set(other.parts)
        if not different:
            return None
        first = min(different)
        there = [d for d in (self, other) if any(p[:2] == first[:2] for p in d.parts)]
        how = "differs" if len(there) == 2 else f"is {'missing' if there == [self] else 'new'}"
        return f"{first[0]} `{first[1]}` {how}"


def make_description(rows: Iterable[Sequence[str]]) -> Description:
    """Make a description of the rows of `DESCRIPTION`, parsed."""
    return Description(parts=tuple(sorted(_normalised(tuple(row)) for row in rows)))


def read_description(raw: bytes) -> Description:
    """Read what `write_description` made. Raises `ValueError`."""
    return Description(parts=tuple(tuple(json.loads(line)) for line in raw.splitlines()))


def write_description(description: Description) -> bytes:
    """Write one JSON array a line."""
    return b"".join(canonical_json(part) + b"\n" for part in description.parts)


def _normalised(part: Part) -> Part:
    if part[0] not in _PARSED:
        return part
    return (*part[:2], *(_BRACKETS.sub("", _CASTS.sub("", text)) for text in part[2:]))
