# A service of fitted models: docker build -t latente . && docker run -p 8000:8000 -v $PWD/run:/run/model latente
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/latente \
 && /opt/latente/bin/pip install --no-cache-dir -c constraints.txt ".[serve]"

FROM python:3.12-slim
COPY --from=build /opt/latente /opt/latente
ENV PATH=/opt/latente/bin:$PATH OMP_NUM_THREADS=1
RUN useradd --create-home latente
USER latente
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["latente", "serve"]
CMD ["/run/model", "--host", "0.0.0.0"]
