"""`python -m raytui`."""

from raytui.cli import main

if __name__ == "__main__":
    main()
