-- step:  shape
-- in:    infer_cell
-- out:   shape(column_no, shape, rows, zero_led, padded, total)
-- grain: one row per (column_no, shape)
-- why:   a column has few shapes (each digit written as 9) however many rows it has, so what a column holds is told
--        from shapes; zero_led counts 007, padded counts blanks at either end, total counts all cells of the column
with
cell as (
  select column_no, value, trim(value) as trimmed, count(*) as cells
  from infer_cell
  group by column_no, value
),
shaped as (
  select
    column_no,
    translate(left(trimmed, 48), '012345678', '999999999') as shape,
    sum(cells) as rows,
    coalesce(sum(cells) filter (starts_with(trimmed, '0') and length(trimmed) > 1), 0) as zero_led,
    coalesce(sum(cells) filter (value <> trimmed), 0) as padded
  from cell
  where
    length(trimmed) > 4
    or lower(trimmed) not in ('', 'null', 'n/a', 'na', '#n/a', 'nan', 'none', 'nil', '-', '--', '—', '–')
  group by column_no, shape
)
select
  column_no,
  shape,
  cast(rows as bigint) as rows,
  cast(zero_led as bigint) as zero_led,
  cast(padded as bigint) as padded,
  cast(sum(rows) over (partition by column_no) as bigint) as total
from shaped
qualify row_number() over (partition by column_no order by rows desc, shape) <= 100
order by column_no, rows desc, shape
