# SPDX-License-Identifier: MIT
# Completion of tain's commands and options for bash.

_tain()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} options
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'demo check mirror verify query replay status table --help --version' -- "$cur")
        return
    fi
    case $prev in
    --format) mapfile -t COMPREPLY < <(compgen -W 'table csv json' -- "$cur"); return ;;
    --capture) mapfile -t COMPREPLY < <(compgen -W 'log poll' -- "$cur"); return ;;
    --partitions) mapfile -t COMPREPLY < <(compgen -W 'root leaf' -- "$cur"); return ;;
    --profile)
        [[ $command == table ]] && set -- 'default directlake spark duckdb' || set -- 'default compat'
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); return ;;
    --on-drop) mapfile -t COMPREPLY < <(compgen -W 'keep delete' -- "$cur"); return ;;
    --tables | --exclude | --freshness | --jobs | --memory | --rate-limit | --retained-log | --snapshot-from | --history-retention | --name | --as-of | --seconds | --last | --retention | --sort-by) return ;;
    table) mapfile -t COMPREPLY < <(compgen -W 'history optimize vacuum' -- "$cur"); return ;;
    esac
    case $command in
    demo) options='--seconds' ;;
    check) options='--tables --exclude --name --partitions --snapshot-from --json' ;;
    mirror) options='--once --tables --exclude --freshness --jobs --memory --rate-limit --retained-log --snapshot-from --resync --repair --capture --partitions --cdf --no-cdf --history --no-history --history-retention --profile --retention --on-drop --name --remove --records --json' ;;
    verify) options='--tables --exclude --jobs --json' ;;
    query) options='--format --as-of --json' ;;
    replay) options='--as-of --to --json' ;;
    status) options='--json' ;;
    table) options='--last --sort-by --profile --retention --dry-run --json' ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$cur")
    elif [[ $command == table ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -o filenames -F _tain tain
