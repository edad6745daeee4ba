"""`weft completion`."""

import argparse

from weft.cli.main import COMMANDS, COMPONENTS

EXAMPLES = """examples:
  source <(weft completion bash)
  weft completion fish > ~/.config/fish/completions/weft.fish
"""
_FLAGS = {
    "up": "--name --nodes --pod-cidr --service-cidr --dual-stack --proxy-mode --demo --timeout --quiet",
    "down": "--name --all",
    "stop": "--name",
    "status": "--name --output",
    "kubeconfig": "--name --path",
    "kubectl": "--name",
    "exec": "--name",
    "logs": "--name --node --follow --tail",
    "images": "--name ls load build",
    "completion": "bash zsh fish",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(args: argparse.Namespace) -> int:
    print(_fish() if args.shell == "fish" else _bash(args.shell))
    return 0


def _bash(shell: str) -> str:
    cases = "\n".join(f'    {name}) words="{flags}" ;;' for name, flags in _FLAGS.items())
    head = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return f"""{head}_weft() {{
  local words="{" ".join((*COMMANDS, *COMPONENTS))}"
  if [ "$COMP_CWORD" -gt 1 ]; then case "${{COMP_WORDS[1]}}" in
{cases}
    *) words="--help" ;;
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _weft weft"""


def _fish() -> str:
    texts = {**COMMANDS, **{name: text for name, (_, text) in COMPONENTS.items()}}
    lines = [f"complete -c weft -n __fish_use_subcommand -f -a {name} -d '{text}'" for name, text in texts.items()]
    for name, flags in _FLAGS.items():
        for flag in flags.split():
            option = f"-l {flag[2:]}" if flag.startswith("--") else f"-f -a {flag}"
            lines.append(f"complete -c weft -n '__fish_seen_subcommand_from {name}' {option}")
    return "\n".join(lines).replace("'s ", " ").replace("lab's", "lab")
