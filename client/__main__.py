"""`python -m client`; the agent alone is started without what the other commands need."""

import sys


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    if arguments == ["agent"]:  # a lab starts many, and waits until they are ready
        from . import agent

        return agent.main()
    from . import command

    return command.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
