import type { Shell } from "./shells.ts";

const BASH = `# bash completion for ccl-queue
_ccl_queue() {
  local value files=
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :files) files=1 ;;
      :*) ;;
      *) COMPREPLY+=("$value") ;;
    esac
  done < <(ccl-queue completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ $files ]]; then compopt -o default; fi
}
complete -F _ccl_queue ccl-queue
`;

const ZSH = `#compdef ccl-queue
_ccl_queue() {
  local value about files=
  local -a found
  while IFS=$'\\t' read -r value about; do
    case $value in
      :files) files=1 ;;
      :*) ;;
      *) found+=("\${value//:/\\\\:}:$about") ;;
    esac
  done < <(ccl-queue completion zsh -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe -V 'ccl-queue' found
  [[ -n $files ]] && _files
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _ccl_queue "$@"; else compdef _ccl_queue ccl-queue; fi
`;

const FISH = `# fish completion for ccl-queue
function __ccl_queue_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in (ccl-queue completion fish -- $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':*'
            case '*'
                echo $line
        end
    end
end
complete -c ccl-queue -f -a '(__ccl_queue_complete)'
`;

/** What each shell has to read once. What there is to complete it asks for each time, so it never grows old. */
export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
