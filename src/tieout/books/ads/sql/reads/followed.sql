insert into followed
select
  unnest($numbers), unnest($legs), unnest($names), unnest($run_ids), unnest($have_files::boolean[]),
  unnest($paths::varchar[]), unnest($first_days::date[]), unnest($end_days::date[]), unnest($starts::bigint[]),
  unnest($ends::bigint[])
