# raytui as a container: its operator on Kubernetes, the daemon of one RayCluster, or the program.
#   docker build -t raytui:0.1.0 .
FROM python:3.11-slim

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[ray,operator,kubernetes]' \
    && rm -rf /src \
    && useradd --uid 1000 --create-home raytui

USER 1000
WORKDIR /home/raytui
ENTRYPOINT ["raytui"]
