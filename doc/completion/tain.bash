# SPDX-License-Identifier: MIT
# Completion of tain's commands and options for bash.

_tain()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} options words=
    local service='--service --home --token-file --ca-file --plain-http --json'
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'demo check mirror verify query replay status table serve create list start stop pause resume resync logs drop connections users tokens apply export client-env --help --version' -- "$cur")
        return
    fi
    case $prev in
    --format) mapfile -t COMPREPLY < <(compgen -W 'table csv json rows' -- "$cur"); return ;;
    --capture) mapfile -t COMPREPLY < <(compgen -W 'log poll' -- "$cur"); return ;;
    --partitions) mapfile -t COMPREPLY < <(compgen -W 'root leaf' -- "$cur"); return ;;
    --profile)
        [[ $command == table ]] && set -- 'default directlake spark duckdb' || set -- 'default compat'
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); return ;;
    --on-drop) mapfile -t COMPREPLY < <(compgen -W 'keep delete' -- "$cur"); return ;;
    --listen | --hosts | --oidc-issuer | --oidc-audience | --webhook | --limit | --tables | --exclude | --pause | --records | --freshness | --jobs | --memory | --rate-limit | --retained-log | --snapshot-from | --history-retention | --name | --as-of | --seconds | --last | --retention | --sort-by | --service | --workspace | --description | --secret | --url | --user | --days) return ;;
    --token-file | --ca-file | --password-file) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --home) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    --role) mapfile -t COMPREPLY < <(compgen -W 'viewer contributor admin none' -- "$cur"); return ;;
    esac
    case $command in # the word behind the command
    table) words='describe history optimize vacuum' ;;
    connections) words='list add change test remove' ;;
    users) words='list add change remove' ;;
    tokens) words='list add remove' ;;
    client-env) words='fab fabric-cicd microsoft-fabric-api azure-sdk azcopy terraform' ;;
    esac
    case $command in
    demo) options='--seconds' ;;
    check) options='--tables --exclude --name --partitions --snapshot-from --json' ;;
    mirror) options='--once --tables --exclude --freshness --jobs --memory --rate-limit --retained-log --snapshot-from --resync --pause --repair --capture --partitions --cdf --no-cdf --history --no-history --history-retention --profile --retention --policies --on-drop --name --remove --records --json' ;;
    verify) options='--tables --exclude --jobs --json' ;;
    query) options='--format --limit --confined --as-of --json' ;;
    serve) options='--home --lake --listen --hosts --tls-cert --tls-key --url --key-file --oidc-issuer --oidc-audience --oidc-ca --webhook --records-retention --audit-retention --no-monitoring --login' ;;
    replay) options='--as-of --to --json' ;;
    status) options='--json' ;;
    table) options='--last --sort-by --profile --retention --dry-run --json' ;;
    create) options="--workspace --description --secret --start --tables --exclude --freshness --memory --retained-log --snapshot-from --capture --partitions --cdf --history --history-retention --profile --retention --on-drop $service" ;;
    list | start | stop | pause | resume | resync | client-env) options=$service ;;
    logs) options="--last --records $service" ;;
    drop) options="--delete-lake --yes $service" ;;
    connections) options="--secret --url --name $service" ;;
    users) options="--role --workspace --password --password-file --disable --enable $service" ;;
    tokens) options="--user --role --days $service" ;;
    apply) options="--workspace --yes --prune $service" ;;
    export) options="--workspace $service" ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$cur")
    elif [[ $words ]] && ((COMP_CWORD == 2)); then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    elif [[ $command == @(table|apply|export) ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}
complete -o filenames -F _tain tain
