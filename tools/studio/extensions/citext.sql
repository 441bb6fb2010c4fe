-- How: a type of its own that compares without regard to case, as the extension's; its functions are PostgreSQL's.
create type {schema}.citext;
create function {schema}.citextin(cstring) returns {schema}.citext language internal immutable strict parallel safe
as 'textin';
create function {schema}.citextout({schema}.citext) returns cstring language internal immutable strict parallel safe
as 'textout';
create function {schema}.citextrecv(internal) returns {schema}.citext language internal stable strict parallel safe
as 'textrecv';
create function {schema}.citextsend({schema}.citext) returns bytea language internal stable strict parallel safe
as 'textsend';
create type {schema}.citext (
  input = {schema}.citextin, output = {schema}.citextout, receive = {schema}.citextrecv, send = {schema}.citextsend,
  internallength = variable, storage = extended, category = 'S', preferred = false, collatable = true
);
create function {schema}.citext(bpchar) returns {schema}.citext language internal immutable strict parallel safe
as 'rtrim1';
create function {schema}.citext(boolean) returns {schema}.citext language internal immutable strict parallel safe
as 'booltext';
create cast ({schema}.citext as text) without function as implicit;
create cast ({schema}.citext as varchar) without function as implicit;
create cast ({schema}.citext as bpchar) without function as assignment;
create cast (text as {schema}.citext) without function as assignment;
create cast (varchar as {schema}.citext) without function as assignment;
create cast (bpchar as {schema}.citext) with function {schema}.citext(bpchar) as assignment;
create cast (boolean as {schema}.citext) with function {schema}.citext(boolean) as assignment;

create function {schema}.citext_cmp({schema}.citext, {schema}.citext) returns integer
language sql immutable strict parallel safe
as $$ select pg_catalog.bttextcmp(lower($1::text), lower($2::text)) $$;
create function {schema}.citext_hash({schema}.citext) returns integer language sql immutable strict parallel safe
as $$ select pg_catalog.hashtext(lower($1::text)) $$;
create function {schema}.citext_eq({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) = lower($2::text) $$;
create function {schema}.citext_ne({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) <> lower($2::text) $$;
create function {schema}.citext_lt({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) < lower($2::text) $$;
create function {schema}.citext_le({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) <= lower($2::text) $$;
create function {schema}.citext_gt({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) > lower($2::text) $$;
create function {schema}.citext_ge({schema}.citext, {schema}.citext) returns boolean
language sql immutable strict parallel safe as $$ select lower($1::text) >= lower($2::text) $$;
create operator {schema}.= (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_eq, commutator = operator({schema}.=),
  negator = operator({schema}.<>), restrict = eqsel, join = eqjoinsel, hashes, merges
);
create operator {schema}.<> (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_ne,
  commutator = operator({schema}.<>), negator = operator({schema}.=), restrict = neqsel, join = neqjoinsel
);
create operator {schema}.< (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_lt,
  commutator = operator({schema}.>), negator = operator({schema}.>=), restrict = scalarltsel, join = scalarltjoinsel
);
create operator {schema}.<= (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_le,
  commutator = operator({schema}.>=), negator = operator({schema}.>), restrict = scalarlesel, join = scalarlejoinsel
);
create operator {schema}.> (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_gt,
  commutator = operator({schema}.<), negator = operator({schema}.<=), restrict = scalargtsel, join = scalargtjoinsel
);
create operator {schema}.>= (
  leftarg = {schema}.citext, rightarg = {schema}.citext, function = {schema}.citext_ge,
  commutator = operator({schema}.<=), negator = operator({schema}.<), restrict = scalargesel, join = scalargejoinsel
);
create operator class {schema}.citext_ops default for type {schema}.citext using btree as
  operator 1 {schema}.<, operator 2 {schema}.<=, operator 3 {schema}.=, operator 4 {schema}.>=, operator 5 {schema}.>,
  function 1 {schema}.citext_cmp({schema}.citext, {schema}.citext);
create operator class {schema}.citext_ops default for type {schema}.citext using hash as
  operator 1 {schema}.=, function 1 {schema}.citext_hash({schema}.citext);

-- LIKE and regular expressions, with citext and with text on the right.
create function {schema}.texticlike({schema}.citext, {schema}.citext) returns boolean
language internal immutable strict parallel safe as 'texticlike';
create function {schema}.texticnlike({schema}.citext, {schema}.citext) returns boolean
language internal immutable strict parallel safe as 'texticnlike';
create function {schema}.texticregexeq({schema}.citext, {schema}.citext) returns boolean
language internal immutable strict parallel safe as 'texticregexeq';
create function {schema}.texticregexne({schema}.citext, {schema}.citext) returns boolean
language internal immutable strict parallel safe as 'texticregexne';
create function {schema}.texticlike({schema}.citext, text) returns boolean
language internal immutable strict parallel safe as 'texticlike';
create function {schema}.texticnlike({schema}.citext, text) returns boolean
language internal immutable strict parallel safe as 'texticnlike';
create function {schema}.texticregexeq({schema}.citext, text) returns boolean
language internal immutable strict parallel safe as 'texticregexeq';
create function {schema}.texticregexne({schema}.citext, text) returns boolean
language internal immutable strict parallel safe as 'texticregexne';
do $$
declare
  v_names text[];
  v_right text;
begin
  foreach v_names slice 1 in array array[['~~', 'texticlike'], ['!~~', 'texticnlike'], ['~~*', 'texticlike'],
                                         ['!~~*', 'texticnlike'], ['~', 'texticregexeq'], ['!~', 'texticregexne'],
                                         ['~*', 'texticregexeq'], ['!~*', 'texticregexne']] loop
    foreach v_right in array array['{schema}.citext', 'text'] loop
      execute format('create operator {schema}.%s (leftarg = {schema}.citext, rightarg = %s, function = {schema}.%s)',
                     v_names[1], v_right, v_names[2]);
    end loop;
  end loop;
end
$$;
