import sys

from client import agent

if __name__ == "__main__":
    sys.exit(agent.main())
